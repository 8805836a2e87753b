import type { RealWorld, WatchedDevice } from './real-world.ts';

/** What a client under measurement is to do. */
export interface ClientTask {
  readonly world: RealWorld;
  readonly device: WatchedDevice;
  readonly tokenLifeSeconds: number;
  readonly intervalMs: number;
  /** Sends for so long; `stop` ends it earlier. */
  readonly durationMs: number;
}

/** What a client says of itself at its end. */
export interface ClientCounts {
  /** Messages that it took from the application. */
  readonly sent: number;
  readonly acked: number;
}

/** The agent on its board, or the Node SDK: a process that sends numbered messages at an interval. */
export interface RunningClient {
  /** Settles when it has ended, with its counts. */
  readonly ended: Promise<ClientCounts>;
  stop(): void;
}

/** The payload of every message, in bytes. */
export const PAYLOAD_BYTES = 100;
