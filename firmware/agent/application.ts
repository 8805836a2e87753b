import type { AgentPart, DesiredChange } from './agent-part.ts';
import type { AgentEvent } from './events.ts';
import type { InboundMessage, LargeMessage, LargeMessageTaker } from './messages/inbound-message.ts';
import type { MethodHandler } from './methods/method-request.ts';

export type { InboundMessage };

/** What the application wants to hear; all called from callbacks of the port. What they throw becomes an event. */
export interface ApplicationCallbacks extends AgentPart {
  readonly onEvent?: ((event: AgentEvent) => void) | undefined;
  /** A connection was accepted, the first one or one after `onDisconnected`; not at a renewal. */
  readonly onConnected?: (() => void) | undefined;
  /** There is no connection any more; `code` says why, `STOPPED` after `stop()`. The agent makes a new one by itself. */
  readonly onDisconnected?: ((code: string) => void) | undefined;
  /** The hub has acknowledged a message that `send` accepted, or a QoS 0 message has left. */
  readonly onAcknowledged?: (() => void) | undefined;
  /** There is room for `send` again after it returned false. */
  readonly onWritable?: (() => void) | undefined;
  /** Every direct method that has no handler in `methods`; it must answer itself when it does not know the name (501 by custom). */
  readonly onMethod?: MethodHandler | undefined;
  /** Services of the firmware beside the application; they are asked before it. */
  readonly parts?: readonly AgentPart[] | undefined;
}

/** Calls the application and the other parts. What they throw ends neither the agent nor, on the chip, the program: it becomes an event. */
export class Application {
  readonly #callbacks: ApplicationCallbacks;
  readonly #parts: readonly AgentPart[];
  /** Names come from the cloud: as keys of an object they would use up the engine's table of names. */
  readonly #methods: ReadonlyMap<string, MethodHandler> | undefined;

  constructor(callbacks: ApplicationCallbacks) {
    this.#callbacks = callbacks;
    this.#parts = [...(callbacks.parts ?? []), callbacks];
    const methods = this.#parts.flatMap((part) => Object.entries(part.methods ?? {}));
    // The first part that has a name has it.
    this.#methods = methods.length === 0 ? undefined : new Map(methods.reverse());
  }

  get wantsMessages(): boolean {
    return this.#parts.some(({ onMessage, onLargeMessage }) => onMessage !== undefined || onLargeMessage !== undefined);
  }

  get wantsDesired(): boolean {
    return this.#parts.some(({ onDesired }) => onDesired !== undefined);
  }

  get wantsMethods(): boolean {
    return this.#methods !== undefined || this.#callbacks.onMethod !== undefined;
  }

  get desiredNames(): readonly string[] {
    return [...new Set(this.#parts.flatMap(({ desired = [], streamed = [] }) => [...desired, ...streamed]))];
  }

  get reportedNames(): readonly string[] {
    return [...new Set(this.#parts.flatMap(({ reported = [] }) => reported))];
  }

  methodHandler(name: string): MethodHandler | undefined {
    return this.#methods?.get(name) ?? this.#callbacks.onMethod;
  }

  report(event: AgentEvent): void {
    const { onEvent } = this.#callbacks;
    if (onEvent === undefined) return;
    try {
      onEvent(event);
    } catch (error) {
      this.#failed(error);
    }
  }

  connected(): void {
    this.#call(this.#callbacks.onConnected);
  }

  disconnected(code: string): void {
    const { onDisconnected } = this.#callbacks;
    if (onDisconnected !== undefined) this.call(onDisconnected, code);
  }

  acknowledged(): void {
    this.#call(this.#callbacks.onAcknowledged);
  }

  writable(): void {
    this.#call(this.#callbacks.onWritable);
  }

  /** True when a part wants this value as it streams by. */
  streamed(name: string, value: unknown): boolean {
    for (const part of this.#parts) {
      if (part.streamed?.includes(name) !== true) continue;
      this.call((one: unknown) => part.onStreamed?.(name, one), value);
      return true;
    }
    return false;
  }

  /** Each part hears of its own properties, of a patch only when one of them is in it. */
  changed(change: DesiredChange): void {
    for (const part of this.#parts) {
      if (part.onDesired === undefined) continue;
      const own = this.#parts.length === 1 ? change : narrow(change, part);
      if (own.isPatch && own.properties.size === 0 && own.refused.size === 0) continue;
      this.call((one: DesiredChange) => part.onDesired?.(one), own);
    }
  }

  /** Whether somebody takes the message; `undefined` when the one who took it threw. */
  deliver(message: InboundMessage): boolean | undefined {
    for (const part of this.#parts) {
      if (part.onMessage === undefined) continue;
      try {
        if (part.onMessage(message) !== false) return true;
      } catch (error) {
        this.#failed(error);
        return undefined;
      }
    }
    return false;
  }

  /** Who takes the pieces of a large message; `undefined` when nobody wants it, `failed` when nobody takes it and somebody threw. */
  takerOf(message: LargeMessage): LargeMessageTaker | 'failed' | undefined {
    let none: 'failed' | undefined;
    for (const part of this.#parts) {
      try {
        const taker = part.onLargeMessage?.(message);
        if (taker !== undefined) return taker;
      } catch (error) {
        this.#failed(error);
        none = 'failed';
      }
    }
    return none;
  }

  /** False when it threw. */
  call<T>(callback: (argument: T) => void, argument: T): boolean {
    try {
      callback(argument);
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #call(callback: (() => void) | undefined): void {
    if (callback === undefined) return;
    try {
      callback();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    try {
      this.#callbacks.onEvent?.({ type: 'handler-failed', message: error instanceof Error ? error.message : String(error) });
    } catch {
      // It throws there too: nobody is left to tell.
    }
  }
}

function narrow(change: DesiredChange, { desired = [], streamed = [], reported }: AgentPart): DesiredChange {
  return {
    ...change,
    properties: only(change.properties, desired),
    // What streams by is refused like the rest.
    refused: only(change.refused, [...desired, ...streamed]),
    reported: only(change.reported, reported),
  };
}

function only<T>(values: ReadonlyMap<string, T>, names: readonly string[] = []): ReadonlyMap<string, T> {
  return new Map([...values].filter(([name]) => names.includes(name)));
}
