import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import { isReport, parseBoardLine, startDrivenBoard, type BoardLine, type BoardReport } from '../../host-sim/board/board.ts';
import type { Hub } from '../../host-sim/hub/hub.ts';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import { writeDeviceFolder } from '../../host-sim/simulation/device-folder.ts';
import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { createHubSide, HUB_NAME, SERVER_NAMES, virtualServices } from '../../host-sim/simulation/hub-side.ts';
import { openLocalPki } from '../../host-sim/simulation/local-pki.ts';
import type { AppName } from '../../host-sim/simulation/options.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { Link } from '../../host-sim/time/link.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { VirtualNetwork } from '../../host-sim/time/virtual-network.ts';
import { VirtualTime } from '../../host-sim/time/virtual-time.ts';
import { PAYLOAD_BYTES } from './client.ts';
import { DeviceWatch } from './device-watch.ts';

export interface VirtualBoardOptions {
  readonly firmware: BuiltFirmware;
  readonly delayMs: number;
  readonly tokenLifeSeconds: number;
  readonly intervalMs: number;
  /** Default: numbered messages. */
  readonly app?: AppName;
}

const DEVICE_ID = 'bench-virtual';
const SEED = 1;
/** The hub keeps a connection beyond its token, as IoT Hub does: what is counted here is not the hub's patience. */
const GRACE_MS = 300_000;

/** One board with the sample application, hub and link in virtual time: every figure is the same on every run. */
export class VirtualBoard {
  readonly hub: Hub;
  readonly identity = { deviceId: DEVICE_ID };
  readonly watch = new DeviceWatch(DEVICE_ID);
  /** The hub's side of each connection to it, plaintext, in the order in which TLS came up. */
  readonly streams: readonly Duplex[];
  readonly lines: BoardLine[] = [];
  /** The device key, which the agent must not know. */
  readonly key = createHash('sha256').update('latchkey bench').digest();
  readonly deviceFolder: string;
  readonly #clock = new VirtualClock(VIRTUAL_START_MS);
  readonly #time: VirtualTime;
  readonly #board: ReturnType<typeof startDrivenBoard>;
  readonly #handle: ReturnType<VirtualTime['addBoard']>;
  readonly #folder: string;
  readonly #reportWaiters: ((report: BoardReport) => void)[] = [];

  static async start(options: VirtualBoardOptions): Promise<VirtualBoard> {
    return new VirtualBoard(options, await openLocalPki(SERVER_NAMES, VIRTUAL_START_MS, 'virtual'));
  }

  private constructor({ firmware, delayMs, tokenLifeSeconds, intervalMs, app }: VirtualBoardOptions, pki: Awaited<ReturnType<typeof openLocalPki>>) {
    const side = createHubSide(this.#clock, GRACE_MS, (event) => this.watch.observe(event));
    this.hub = side.hub;
    const streams: Duplex[] = [];
    this.streams = streams;
    const accept = side.hub.accept.bind(side.hub);
    side.hub.accept = (stream, peer) => {
      streams.push(stream);
      accept(stream, peer);
    };
    side.hub.registry.add(this.identity, { keys: { primary: this.key, secondary: this.key } });
    const { services, places } = virtualServices(side, pki, this.#clock);
    this.#time = new VirtualTime(this.#clock, new VirtualNetwork(new Link({ clock: this.#clock, delayMs }), services));
    this.#folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-virtual-'));
    this.deviceFolder = join(this.#folder, 'device');
    writeDeviceFolder(this.deviceFolder, {
      hub: HUB_NAME,
      deviceId: DEVICE_ID,
      port: places.hub.port,
      roots: [pki.rootDer],
      tokenLifeSeconds,
      telemetryIntervalMs: intervalMs,
      durationMs: 0,
      app,
      payloadBytes: PAYLOAD_BYTES,
      ntp: places.ntp.map(({ address, port }) => `${address}:${port}`),
      date: `localhost:${places.date.port}`,
      credential: { type: 'key', keyBase64: encodeKey(this.key) },
    });
    const { program, preload, main } = firmware;
    this.#board = startDrivenBoard({ program, preload, main, device: this.deviceFolder, seed: SEED });
    this.#handle = this.#time.addBoard(this.#board.channel, { onLine: (text) => this.#takeLine(parseBoardLine(text)) });
  }

  get pid(): number {
    return this.#board.pid;
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Runs until `isSo`, asked before every jump of time. @throws Error when `limitMs` of virtual time pass, or the board ends */
  async runUntil(what: string, isSo: () => boolean, limitMs: number): Promise<void> {
    let isLate = false;
    const cancel = this.#clock.setTimer(limitMs, () => {
      isLate = true;
    });
    await this.#time.run(() => isSo() || isLate || this.#handle.isClosed);
    cancel();
    if (isSo()) return;
    const end = this.#handle.isClosed ? `the board ended: ${(await this.#board.exited).talk}` : `${limitMs} ms of virtual time have passed`;
    throw new Error(`${end}; waited for: ${what}`);
  }

  async runFor(durationMs: number): Promise<void> {
    const endMs = this.nowMs + durationMs;
    await this.runUntil(`${durationMs} ms`, () => this.nowMs >= endMs, durationMs);
  }

  /** Heap after garbage collection, and compute units, of this moment. */
  report(): Promise<BoardReport> {
    return new Promise((resolve, reject) => {
      this.#reportWaiters.push(resolve);
      this.#board.channel.send({ type: 'report' });
      this.#board.exited.then(({ talk }) => reject(new Error(`the board ended before its report\n${talk}`)), reject);
    });
  }

  /** Asks the firmware to stop and runs until the board has ended. @returns the report that it prints at exit */
  async stop(): Promise<BoardReport> {
    this.#handle.stop();
    await this.#time.run(() => this.#handle.isClosed);
    const last = this.lines.findLast(isReport);
    if (last === undefined) throw new Error('the board ended without a report');
    return last;
  }

  async close(): Promise<void> {
    this.#board.kill();
    await this.#board.exited;
    await this.hub.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #takeLine(line: BoardLine): void {
    this.lines.push(line);
    if (isReport(line)) for (const waiter of this.#reportWaiters.splice(0)) waiter(line);
  }
}
