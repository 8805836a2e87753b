import Resolver from 'embedded:network/dns/resolver/udp';
import TCP from 'embedded:io/socket/tcp';
import UDP from 'embedded:io/socket/udp';
import flash from 'embedded:storage/flash';
import * as chip from 'latchkey/chip';
import * as signer from 'latchkey/signer';
import Tls from 'latchkey/tls';
import Time from 'time';
import Timer, { type Timer as TimerHandle } from 'timer';

import { FloorStore } from '../../agent/clock/floor-store.ts';
import { isDottedAddress } from '../../agent/dotted-address.ts';
import type { Port, RootUse, TcpOptions, TcpSocket, TlsEngine, TlsOptions, UdpOptions, UdpSocket } from '../../agent/port.ts';
import { RELEASE_TIME_MS } from '../../agent/release.ts';
import { MqttPacketCodec } from '../../codecs/mqtt.ts';
import { textCodec } from '../../codecs/text.ts';
import type { PortOptions } from '../port-options.ts';
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
export class Esp32Port implements Port {
  readonly signer = signer;
  readonly mqtt = new MqttPacketCodec();
  readonly text = textCodec;
  readonly buildTimeMs = RELEASE_TIME_MS;
  readonly #options: PortOptions;
  readonly #onFault: OnFault;
  readonly #floor: FloorStore;
  readonly #udpOfResolver = guardedUdp(UDP);
  #resolver: Resolver | undefined;
  #nameServers = '';
  #timer: TimerHandle | undefined;

  /** @param onFault an exception of ours in a callback: the program is in an unknown state */
  constructor(options: PortOptions, onFault: OnFault) {
    this.#options = options;
    this.#onFault = onFault;
    this.#floor = new FloorStore(flash.open({ path: 'latchkey' }));
  }

  ticks(): number {
    return Time.ticks;
  }

  wallMs(): number {
    return Date.now();
  }

  setWallMs(unixMs: number): void {
    Time.set(Math.round(unixMs / 1000));
  }

  random(): number {
    return chip.random();
  }

  schedule(delayMs: number): void {
    if (this.#timer !== undefined) Timer.clear(this.#timer);
    this.#timer = Timer.set(guarded(() => {
      this.#timer = undefined;
      this.#options.wake();
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

  openTls(options: TlsOptions): TlsEngine {
    return new Tls(options);
  }

  dropTlsSessions(): void {
    Tls.dropSessions();
  }

  roomForTwo(): boolean {
    return this.#options.roomForTwo && chip.freeBytes() >= SECOND_SESSION_BYTES && chip.largestFreeBytes() >= LARGEST_PIECE_BYTES;
  }

  roots(purpose?: RootUse): readonly ArrayBuffer[] {
    return this.#options.roots(purpose);
  }

  readFloorMs(): number {
    return this.#floor.read();
  }

  saveFloorMs(unixMs: number): void {
    this.#floor.save(unixMs);
  }
}
