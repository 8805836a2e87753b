import type { AgentEvent } from './events.ts';

/** A message from the cloud. */
export interface InboundMessage {
  readonly topic: string;
  /** May be empty. */
  readonly payload: Uint8Array;
  /** Tells the hub that it was handled; until then the hub keeps it. Idempotent. */
  acknowledge(): void;
}

/** What the application wants to hear; all called from callbacks of the port. */
export interface ApplicationCallbacks {
  readonly onEvent?: ((event: AgentEvent) => void) | undefined;
  /** The hub has acknowledged a message that `send` accepted, or a QoS 0 message has left. */
  readonly onAcknowledged?: (() => void) | undefined;
  /** There is room for `send` again after it returned false. */
  readonly onWritable?: (() => void) | undefined;
  /** Cloud-to-device messages; without it they are not subscribed to. */
  readonly onMessage?: ((message: InboundMessage) => void) | undefined;
}

/** Calls the application. What it throws ends neither the agent nor, on the chip, the program: it becomes an event. */
export class Application {
  readonly #callbacks: ApplicationCallbacks;

  constructor(callbacks: ApplicationCallbacks) {
    this.#callbacks = callbacks;
  }

  get wantsMessages(): boolean {
    return this.#callbacks.onMessage !== undefined;
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

  acknowledged(): void {
    this.#call(this.#callbacks.onAcknowledged);
  }

  writable(): void {
    this.#call(this.#callbacks.onWritable);
  }

  /** False when nobody wants messages. */
  deliver(message: InboundMessage): boolean {
    const { onMessage } = this.#callbacks;
    if (onMessage === undefined) return false;
    try {
      onMessage(message);
    } catch (error) {
      this.#failed(error);
    }
    return true;
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
