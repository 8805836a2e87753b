import flash from 'embedded:storage/flash';
import * as signer from 'latchkey/signer';
import Tls from 'latchkey/tls';
import Time from 'time';

import { FloorStore } from '../agent/clock/floor-store.ts';
import type { Port, RootUse, TcpOptions, TcpSocket, TlsEngine, TlsOptions, UdpOptions, UdpSocket } from '../agent/port.ts';
import { RELEASE_TIME_MS } from '../agent/release.ts';
import { MqttPacketCodec } from '../codecs/mqtt.ts';
import { textCodec } from '../codecs/text.ts';
import type { PortOptions } from './port-options.ts';

/** What the virtual board and the chip bind alike: to modules that both have, and to C that is the same on both. */
export abstract class SdkPort implements Port {
  readonly signer = signer;
  readonly mqtt = new MqttPacketCodec();
  readonly text = textCodec;
  readonly buildTimeMs = RELEASE_TIME_MS;
  protected readonly options: PortOptions;
  readonly #floor = new FloorStore(flash.open({ path: 'latchkey' }));

  constructor(options: PortOptions) {
    this.options = options;
  }

  abstract random(): number;
  abstract schedule(delayMs: number): void;
  abstract resolve(host: string, done: (address: string | undefined) => void): void;
  abstract openTcp(options: TcpOptions): TcpSocket;
  abstract openUdp(options: UdpOptions): UdpSocket;

  ticks(): number {
    return Time.ticks;
  }

  wallMs(): number {
    return Date.now();
  }

  setWallMs(unixMs: number): void {
    Time.set(Math.round(unixMs / 1000));
  }

  openTls(options: TlsOptions): TlsEngine {
    return new Tls(options);
  }

  dropTlsSessions(): void {
    Tls.dropSessions();
  }

  roomForTwo(): boolean {
    return this.options.roomForTwo;
  }

  roots(purpose?: RootUse): readonly ArrayBuffer[] {
    return this.options.roots(purpose);
  }

  readFloorMs(): number {
    return this.#floor.read();
  }

  saveFloorMs(unixMs: number): void {
    this.#floor.save(unixMs);
  }
}
