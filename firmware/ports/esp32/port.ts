import Resolver from 'embedded:network/dns/resolver/udp';
import TCP from 'embedded:io/socket/tcp';
import UDP from 'embedded:io/socket/udp';
import * as chip from 'latchkey/chip';
import Timer, { type Timer as TimerHandle } from 'timer';

import { isDottedAddress } from '../../agent/dotted-address.ts';
import type { TcpOptions, TcpSocket, UdpOptions, UdpSocket } from '../../agent/port.ts';
import type { PortOptions } from '../port-options.ts';
import { SdkPort } from '../sdk-port.ts';
import { guarded, type OnFault } from './guard.ts';
import { SdkTcp } from './tcp.ts';
import { guardedUdp, SdkUdp } from './udp.ts';

/**
 * A second TLS session beside the first takes 41 KB at its peak, its largest piece being the 16 KB input buffer (measured on the virtual
 * board with Mbed TLS 4); the stack, Wi-Fi and XS need room to grow besides.
 */
const SECOND_SESSION_BYTES = 64 * 1024;
const LARGEST_PIECE_BYTES = 24 * 1024;

/** Binds the agent to the Moddable SDK's modules on an ESP32. */
export class Esp32Port extends SdkPort {
  readonly #onFault: OnFault;
  readonly #udpOfResolver = guardedUdp(UDP);
  #resolver: Resolver | undefined;
  #nameServers = '';
  #timer: TimerHandle | undefined;

  /** @param onFault an exception of ours in a callback: the program is in an unknown state */
  constructor(options: PortOptions, onFault: OnFault) {
    super(options);
    this.#onFault = onFault;
  }

  random(): number {
    return chip.random();
  }

  schedule(delayMs: number): void {
    if (this.#timer !== undefined) Timer.clear(this.#timer);
    this.#timer = Timer.set(guarded(() => {
      this.#timer = undefined;
      this.options.wake();
    }, this.#onFault), delayMs);
  }

  /** By the name servers that DHCP gave; a resolver is made anew when they have changed. */
  resolve(host: string, done: (address: string | undefined) => void): void {
    if (isDottedAddress(host)) return done(host);
    const nameServers = chip.nameServers();
    if (nameServers === '') return done(undefined);
    try {
      if (this.#resolver === undefined || nameServers !== this.#nameServers) {
        this.#resolver?.close();
        this.#resolver = new Resolver({ servers: nameServers.split(','), socket: { io: this.#udpOfResolver } });
        this.#nameServers = nameServers;
      }
      this.#resolver.resolve({
        host,
        onResolved: guarded((_host: string, address: string) => done(address), this.#onFault),
        onError: guarded(() => done(undefined), this.#onFault),
      });
    } catch {
      this.#resolver = undefined;
      done(undefined);
    }
  }

  openTcp(options: TcpOptions): TcpSocket {
    return new SdkTcp(options, { TCP, Timer }, this.#onFault);
  }

  openUdp(options: UdpOptions): UdpSocket {
    return new SdkUdp(options, UDP, this.#onFault);
  }

  override roomForTwo(): boolean {
    return super.roomForTwo() && chip.freeBytes() >= SECOND_SESSION_BYTES && chip.largestFreeBytes() >= LARGEST_PIECE_BYTES;
  }
}
