import type TCP from 'embedded:io/socket/tcp';
import type Timer from 'timer';

import type { TcpOptions, TcpSocket } from '../../agent/port.ts';
import { guarded, type OnFault } from './guard.ts';

export interface TcpModules {
  readonly TCP: typeof TCP;
  readonly Timer: typeof Timer;
}

/**
 * A TCP socket of the SDK with the agent's semantics. The SDK's `read(n)` throws when less than n bytes wait, says `onReadable` only when
 * more have come (what was left is not told again), and throws where a peer or the stack fails.
 */
export class SdkTcp implements TcpSocket {
  readonly #options: TcpOptions;
  readonly #modules: TcpModules;
  readonly #onFault: OnFault;
  #socket: TCP | undefined;
  #waitingBytes = 0;
  #failed = false;
  #redelivers = false;

  constructor(options: TcpOptions, modules: TcpModules, onFault: OnFault) {
    this.#options = options;
    this.#modules = modules;
    this.#onFault = onFault;
    const on = <Arguments extends readonly unknown[]>(callback: (...values: Arguments) => void): ((...values: Arguments) => void) => guarded(callback, onFault);
    try {
      this.#socket = new modules.TCP({
        address: options.address,
        port: options.port,
        onReadable: on((byteCount: number) => this.#readable(byteCount)),
        onWritable: on((byteCount: number) => {
          if (this.#socket !== undefined) options.onWritable(byteCount);
        }),
        onError: on(() => this.#fail(undefined)),
      });
    } catch (error) {
      // No socket left, or no route: told after the constructor, as every failure.
      this.#failLater(error);
    }
  }

  read(byteLength: number = Infinity): ArrayBuffer | undefined {
    const count = Math.min(byteLength, this.#waitingBytes);
    if (count <= 0 || this.#socket === undefined) return undefined;
    const bytes = this.#socket.read(count);
    this.#waitingBytes -= bytes?.byteLength ?? this.#waitingBytes;
    return bytes;
  }

  /** What cannot be written is a connection that has ended: `onError` follows. */
  write(bytes: ArrayBuffer | Uint8Array): number {
    if (this.#socket === undefined) return 0;
    try {
      // `undefined` when the stack has given the connection up.
      return (this.#socket.write(bytes) as number | undefined) ?? 0;
    } catch (error) {
      this.#failLater(error);
      return 0;
    }
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#failed = true;
    try {
      socket?.close();
    } catch {
      // It is gone already.
    }
  }

  #readable(byteCount: number): void {
    if (this.#socket === undefined) return;
    this.#waitingBytes = byteCount;
    this.#options.onReadable(byteCount);
    if (this.#waitingBytes > 0 && this.#waitingBytes < byteCount) this.#redeliver();
  }

  /** What the reader left is told again, once, when it has had its turn. */
  #redeliver(): void {
    if (this.#redelivers) return;
    this.#redelivers = true;
    this.#modules.Timer.set(guarded(() => {
      this.#redelivers = false;
      this.#readable(this.#waitingBytes);
    }, this.#onFault), 0);
  }

  #failLater(error: unknown): void {
    this.#modules.Timer.set(guarded(() => this.#fail(error), this.#onFault), 0);
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.onError(error);
  }
}
