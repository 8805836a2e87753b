import type { Port, Signer, TcpOptions, TcpSocket, TlsEngine, TlsOptions, UdpOptions, UdpSocket } from '../../firmware/agent/port.ts';
import { MqttPacketCodec } from '../../firmware/codecs/mqtt.ts';
import { textCodec } from '../../firmware/codecs/text.ts';
import type { FakeNetwork } from './fake-network.ts';
import type { FakeTime } from './fake-time.ts';
import { FakeTlsEngine } from './fake-tls.ts';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';

/** 2026-11-22 */
export const WALL_AT_START_MS = 1_795_305_600_000;
/** 2026-11-01 */
export const BUILD_TIME_MS = 1_793_491_200_000;
/** One minute before the 32-bit wrap, as on the virtual board. */
const TICKS_AT_START = 2 ** 31 - 60_000;

/** A port over fake time and a fake network, with the real codecs. */
export class FakePort implements Port {
  readonly mqtt = new MqttPacketCodec();
  readonly text = textCodec;
  readonly buildTimeMs = BUILD_TIME_MS;
  readonly random: () => number;
  readonly #time: FakeTime;
  readonly #network: FakeNetwork;
  #cancel: () => void = () => {};
  /** The agent's. */
  wake: () => void = () => {};
  /** How far the wall clock is ahead of the true time. */
  wallOffMs = 0;
  hasRoomForTwo = true;
  floorMs = 0;
  savedFloors: number[] = [];
  droppedTlsSessions = 0;
  /** TLS engines that are not closed: native memory, which no garbage collector frees. */
  openTlsCount = 0;
  /** Delays that were scheduled. */
  readonly scheduled: number[] = [];
  /** When the port will wake the agent; Infinity: never. */
  wakesAtMs = Infinity;
  sign: Signer['signSas'] = (slot, encodedResource, expirySeconds) => `${slot}/${encodedResource}/${expirySeconds}`;
  readonly signer: Signer = { signSas: (slot, encodedResource, expirySeconds) => this.sign(slot, encodedResource, expirySeconds) };

  constructor(time: FakeTime, network: FakeNetwork, seed = 1) {
    this.#time = time;
    this.#network = network;
    this.random = seededRandom(seed);
  }

  ticks(): number {
    return (TICKS_AT_START + Math.floor(this.#time.nowMs)) | 0;
  }

  /** The true time. */
  get trueMs(): number {
    return WALL_AT_START_MS + this.#time.nowMs;
  }

  wallMs(): number {
    return this.trueMs + this.wallOffMs;
  }

  /** In whole seconds, as on the chip. */
  setWallMs(unixMs: number): void {
    this.wallOffMs = Math.round(unixMs / 1000) * 1000 - this.trueMs;
  }

  schedule(delayMs: number): void {
    this.#cancel();
    this.scheduled.push(delayMs);
    this.wakesAtMs = this.#time.nowMs + delayMs;
    this.#cancel = this.#time.after(delayMs, () => {
      this.wakesAtMs = Infinity;
      this.wake();
    });
  }

  resolve(host: string, done: (address: string | undefined) => void): void {
    this.#network.resolve(host, done);
  }

  openTcp(options: TcpOptions): TcpSocket {
    return this.#network.openTcp(options);
  }

  openUdp(options: UdpOptions): UdpSocket {
    return this.#network.openUdp(options);
  }

  openTls(_options: TlsOptions): TlsEngine {
    this.openTlsCount += 1;
    return new FakeTlsEngine(() => (this.openTlsCount -= 1));
  }

  dropTlsSessions(): void {
    this.droppedTlsSessions += 1;
  }

  roomForTwo(): boolean {
    return this.hasRoomForTwo;
  }

  roots(): readonly ArrayBuffer[] {
    return [];
  }

  readFloorMs(): number {
    return this.floorMs;
  }

  saveFloorMs(unixMs: number): void {
    this.savedFloors.push(unixMs);
    this.floorMs = unixMs;
  }
}
