/** A direct method that a service has called. */
export interface MethodRequest {
  /** As the service wrote it; with Plug and Play `command` or `component*command`. */
  readonly name: string;
  /** The JSON that came with it; `undefined` when nothing came. */
  readonly payload: unknown;
  /**
   * Answers, now or later, but within the service's own time-out (300 s at most). Only the first call counts.
   * @param status whole number of the application's choice, HTTP codes by custom: 200 done, 404 no such thing, 500 failed
   * @param payload any JSON up to 128 KB; nothing when absent
   * @returns false when it is too late: answered before, or nobody waits any more
   * @throws ERR_MESSAGE_SIZE above 128 KB, TypeError for what is no JSON, RangeError for the status; the method can still be answered
   */
  respond(status: number, payload?: unknown): boolean;
}

/** Must call `respond` once, now or later. What it throws is answered with 500; the text stays on the device. */
export type MethodHandler = (request: MethodRequest) => void;
