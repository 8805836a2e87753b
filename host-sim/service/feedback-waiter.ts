import type { Client } from 'azure-iothub';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** One record of a feedback message, in IoT Hub's spelling. */
export interface FeedbackRecord {
  readonly originalMessageId: string;
  readonly deviceId: string;
  readonly deviceGenerationId: string;
  readonly description: string;
  readonly enqueuedTimeUtc: string;
}

interface FeedbackMessage {
  getData(): Uint8Array;
}

/** What of the SDK's receiver is needed; its types are those of an inner module. */
interface FeedbackReceiver {
  on(event: 'message', listener: (message: FeedbackMessage) => void): void;
  on(event: 'errorReceived', listener: (error: Error) => void): void;
  complete(message: FeedbackMessage, done: () => void): void;
}

/** Reads the hub's feedback until the one about a message comes. Feedback about others is taken and shown to nobody. */
export class FeedbackWaiter {
  readonly #records = new Map<string, FeedbackRecord>();
  readonly #waiting = new Set<() => void>();
  #failure: Error | undefined;

  private constructor(receiver: FeedbackReceiver) {
    receiver.on('message', (message) => {
      for (const record of parseRecords(message)) this.#records.set(record.originalMessageId, record);
      receiver.complete(message, () => {});
      this.#wakeAll();
    });
    receiver.on('errorReceived', (error) => {
      this.#failure = error;
      this.#wakeAll();
    });
  }

  /** Before the message is sent, so that nothing is missed. */
  static async open(client: Client): Promise<FeedbackWaiter> {
    const receiver = await new Promise<FeedbackReceiver>((resolve, reject) =>
      client.getFeedbackReceiver((error, found) => (error ? reject(error) : resolve(found as unknown as FeedbackReceiver))),
    );
    return new FeedbackWaiter(receiver);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** @throws ERR_TIMED_OUT when it is interrupted */
  async of(messageId: string, interrupted: AbortSignal): Promise<FeedbackRecord> {
    for (;;) {
      const record = this.#records.get(messageId);
      if (record !== undefined) return record;
      if (this.#failure !== undefined) throw this.#failure;
      if (interrupted.aborted) throw new CliError('ERR_TIMED_OUT', EXIT.interrupted, `no feedback about ${messageId} yet`, 'the message still waits for the device');
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        interrupted.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

function parseRecords(message: FeedbackMessage): readonly FeedbackRecord[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(message.getData()).toString());
    return Array.isArray(value) ? (value as readonly FeedbackRecord[]) : [];
  } catch {
    return [];
  }
}
