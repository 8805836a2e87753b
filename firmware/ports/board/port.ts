import Resolver from 'embedded:network/dns/resolver/udp';
import TCP from 'embedded:io/socket/tcp';
import UDP from 'embedded:io/socket/udp';
import board from 'latchkey/board';
import Timer, { type Timer as TimerHandle } from 'timer';

import { isDottedAddress } from '../../agent/dotted-address.ts';
import type { TcpOptions, TcpSocket, UdpOptions, UdpSocket } from '../../agent/port.ts';
import { SdkPort } from '../sdk-port.ts';

/** Binds the agent to the virtual board's modules. */
export class BoardPort extends SdkPort {
  readonly #resolver = new Resolver();
  #timer: TimerHandle | undefined;

  random(): number {
    return board.random();
  }

  schedule(delayMs: number): void {
    Timer.clear(this.#timer);
    this.#timer = Timer.set(() => {
      this.#timer = undefined;
      this.options.wake();
    }, delayMs);
  }

  resolve(host: string, done: (address: string | undefined) => void): void {
    if (isDottedAddress(host)) return done(host);
    this.#resolver.resolve({ host, onResolved: (_host, address) => done(address), onError: () => done(undefined) });
  }

  openTcp(options: TcpOptions): TcpSocket {
    return new TCP(options);
  }

  openUdp(options: UdpOptions): UdpSocket {
    return new UDP(options);
  }
}
