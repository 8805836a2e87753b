import type UDP from 'embedded:io/socket/udp';

import type { Datagram, UdpOptions, UdpSocket } from '../../agent/port.ts';
import { guarded, type OnFault } from './guard.ts';

/** A UDP socket of the SDK with the agent's semantics: closed twice or read after its end it throws nothing. */
export class SdkUdp implements UdpSocket {
  #socket: UDP | undefined;

  constructor(options: UdpOptions, Udp: typeof UDP, onFault: OnFault) {
    this.#socket = new Udp({
      onReadable: guarded((packetCount: number) => {
        if (this.#socket !== undefined) options.onReadable(packetCount);
      }, onFault),
    });
  }

  read(): Datagram | undefined {
    return this.#socket?.read();
  }

  /** @throws Error when the stack has no route */
  write(bytes: ArrayBuffer | Uint8Array, address: string, port: number): void {
    this.#socket?.write(bytes, address, port);
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }
}

/**
 * The SDK's resolver parses what comes from the network inside its callback, and its parser throws at malformed packets: a datagram of
 * anybody could restart the chip. With this class under it the packet is lost instead.
 */
export function guardedUdp(Udp: typeof UDP): typeof UDP {
  return class GuardedUdp extends Udp {
    constructor(options: ConstructorParameters<typeof UDP>[0]) {
      const { onReadable } = options;
      super({
        ...options,
        ...(onReadable === undefined ? {} : {
          onReadable(this: UDP, packetCount: number): void {
            try {
              onReadable.call(this, packetCount);
            } catch {
              // No DNS answer.
            }
          },
        }),
      });
    }
  };
}
