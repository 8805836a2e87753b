import Resolver from 'embedded:network/dns/resolver/udp';
import TCP from 'embedded:io/socket/tcp';
import UDP from 'embedded:io/socket/udp';
import flash from 'embedded:storage/flash';
import board from 'latchkey/board';
import * as signer from 'latchkey/signer';
import Tls from 'latchkey/tls';
import Time from 'time';
import Timer, { type Timer as TimerHandle } from 'timer';

import { FloorStore } from '../../agent/clock/floor-store.ts';
import type { Port, RootUse, TcpOptions, TcpSocket, TlsEngine, TlsOptions, UdpOptions, UdpSocket } from '../../agent/port.ts';
import { RELEASE_TIME_MS } from '../../agent/release.ts';
import { isDottedAddress } from '../../agent/dotted-address.ts';
import { MqttPacketCodec } from '../../codecs/mqtt.ts';
import { textCodec } from '../../codecs/text.ts';
import type { PortOptions } from '../port-options.ts';

/** Binds the agent to the virtual board's modules. */
export class BoardPort implements Port {
  readonly signer = signer;
  readonly mqtt = new MqttPacketCodec();
  readonly text = textCodec;
  readonly buildTimeMs = RELEASE_TIME_MS;
  readonly #options: PortOptions;
  readonly #resolver = new Resolver();
  readonly #floor: FloorStore;
  #timer: TimerHandle | undefined;

  constructor(options: PortOptions) {
    this.#options = options;
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
    return board.random();
  }

  schedule(delayMs: number): void {
    Timer.clear(this.#timer);
    this.#timer = Timer.set(() => {
      this.#timer = undefined;
      this.#options.wake();
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

  openTls(options: TlsOptions): TlsEngine {
    return new Tls(options);
  }

  dropTlsSessions(): void {
    Tls.dropSessions();
  }

  roomForTwo(): boolean {
    return this.#options.roomForTwo;
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
