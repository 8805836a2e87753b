import { MAX_FAILED_MESSAGES, MAX_MESSAGE_TRIES } from '../limits.ts';

interface FailedMessage {
  readonly key: string;
  tries: number;
  /** The hub holds it and will send it again on the next connection. */
  waits: boolean;
}

/**
 * Messages whose handler has thrown. The hub sends them again on the next connection, for over MQTT there is no other way to give one back; so they
 * are counted here, over connections, and given up before they come for ever or fill the hub's window.
 */
export class FailedMessages {
  #messages: FailedMessage[] = [];

  /** Whether there is nothing to compare a message with. */
  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** A handler has thrown. @returns how often it has, and whether the message is to be given up */
  failed(key: string): { readonly tries: number; readonly dropped: boolean } {
    const tries = (this.#take(key)?.tries ?? 0) + 1;
    const dropped = tries >= MAX_MESSAGE_TRIES || !this.#makeRoom();
    if (!dropped) this.#messages.push({ key, tries, waits: true });
    return { tries, dropped };
  }

  /** A handler has taken it after all. */
  handled(key: string): void {
    this.#take(key);
  }

  /** The connection has gone: what waited at the hub comes again, or has expired there. */
  reset(): void {
    for (const message of this.#messages) message.waits = false;
  }

  #take(key: string): FailedMessage | undefined {
    const index = this.#messages.findIndex((message) => message.key === key);
    return index < 0 ? undefined : this.#messages.splice(index, 1)[0];
  }

  /** False when as many wait as the hub may hold back for us; else the oldest that may be nothing but a memory goes. */
  #makeRoom(): boolean {
    if (this.#messages.length < MAX_FAILED_MESSAGES) return true;
    const index = this.#messages.findIndex(({ waits }) => !waits);
    if (index < 0) return false;
    this.#messages.splice(index, 1);
    return true;
  }
}
