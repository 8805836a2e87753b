/** What a callback of the SDK does with an exception: one that leaves it aborts the machine, and that restarts the chip without a word. */
export type OnFault = (error: unknown) => void;

/** `callback`, whose exceptions go to `onFault`. */
export function guarded<Arguments extends readonly unknown[]>(callback: (...values: Arguments) => void, onFault: OnFault): (...values: Arguments) => void {
  return (...values) => {
    try {
      callback(...values);
    } catch (error) {
      onFault(error);
    }
  };
}
