import { transformSync } from 'esbuild';

import type { ChipBundle } from '../../../host-sim/firmware/chip-bundle.ts';
import { seededRandom } from '../../../host-sim/time/seeded-random.ts';
import { FakeNetwork } from '../fake-network.ts';
import { FakeTime } from '../fake-time.ts';
import { FakeTlsEngine } from '../fake-tls.ts';
import { NorFlash } from '../nor-flash.ts';
import { FakeStation } from './fake-sdk-network.ts';
import { makeResolver } from './fake-sdk-resolver.ts';
import { makeTcp, makeUdp, type SocketWorld } from './fake-sdk-sockets.ts';

/** 2026-11-22 */
const WALL_AT_START_MS = 1_795_305_600_000;
const TICKS_AT_START = 2 ** 31 - 60_000;
const NAME_SERVER = '10.0.0.53';

export interface ChipLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/**
 * The chip's image on fake modules of the SDK: `firmware.js` and `main.js` as they are linked, with the SDK's semantics where they differ from
 * the virtual board's. An exception that leaves a callback would restart the chip: `aborts` holds it.
 */
export class FakeChip {
  readonly time = new FakeTime();
  readonly network = new FakeNetwork(this.time);
  readonly aborts: unknown[] = [];
  readonly lines: ChipLine[] = [];
  readonly flash = new NorFlash(25, 4096);
  /** NVS, namespace `latchkey`; `undefined`: there is none. */
  settings: Record<string, string | ArrayBuffer> | undefined = {
    hub: 'hub.test', device: 'dev1', 'wifi-ssid': 'home', 'wifi-pass': 'secret pass', interval: '1000', root0: new ArrayBuffer(1),
  };
  /** What opening NVS fails with. */
  nvsError: string | undefined;
  /** What `backend(slot)` says. */
  readonly backends: (string | undefined)[] = ['efuse'];
  /** Names of TLS checks, and `check` or `selfTest` of the signer, that fail. */
  readonly failing = new Map<string, string>();
  freeBytes = 180_000;
  largestFreeBytes = 100_000;
  nameServers = NAME_SERVER;
  wallOffMs = 0;
  restarts = 0;
  confirmations = 0;
  openTlsCount = 0;
  readonly derived: string[] = [];
  readonly signedSlots: number[] = [];
  readonly station: FakeStation;
  readonly #world: SocketWorld;
  readonly #names = new Map<string, string>();

  constructor() {
    const abort = (error: unknown): void => void this.aborts.push(error);
    this.#world = { time: this.time, network: this.network, abort, freeSockets: 8 };
    this.station = new FakeStation(this.time, abort, (isUp) => {
      this.network.isUp = isUp;
      if (!isUp) this.network.cut();
    });
    this.network.isUp = false;
    this.answerNames(NAME_SERVER);
  }

  get freeSockets(): number {
    return this.#world.freeSockets;
  }

  set freeSockets(count: number) {
    this.#world.freeSockets = count;
  }

  name(host: string, address: string): void {
    this.#names.set(host, address);
  }

  /** A name server at `address`; `answer` gives the packet. */
  answerNames(address: string, answer = (host: string): string => `${host}=${this.#names.get(host) ?? ''}`): void {
    this.network.answerDatagrams(address, 53, (query, reply) => reply(Buffer.from(answer(Buffer.from(query).toString()))));
  }

  /** Loads and runs the image, as `app_main` does. */
  start(bundle: ChipBundle): this {
    const modules = this.#modules();
    const load = (text: string): object => {
      const module = { exports: {} };
      const code = transformSync(text, { format: 'cjs', target: 'node20' }).code;
      const require = (specifier: string): object => {
        const found = modules[specifier];
        if (found === undefined) throw new Error(`the chip has no module "${specifier}"`);
        return { __esModule: true, ...found };
      };
      new Function('require', 'module', 'exports', 'Date', code)(require, module, module.exports, this.#date());
      return module.exports;
    };
    modules['latchkey/firmware'] = load(bundle.firmware.text);
    load(bundle.main.text);
    return this;
  }

  events(event: string): ChipLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  runUntilEvent(event: string, limitMs = 60_000, count = 1): boolean {
    return this.time.runUntil(() => this.events(event).length >= count, limitMs);
  }

  #date(): DateConstructor {
    const chip = this;
    return class extends Date {
      static override now(): number {
        return WALL_AT_START_MS + chip.time.nowMs + chip.wallOffMs;
      }
    } as DateConstructor;
  }

  #modules(): Record<string, object> {
    const chip = this;
    const random = seededRandom(7);
    const fail = (name: string): void => {
      const code = chip.failing.get(name);
      if (code !== undefined) throw Object.assign(new Error(`${name} fails`), { code });
    };
    return {
      timer: { default: this.#timer() },
      time: {
        default: {
          get ticks() {
            return (TICKS_AT_START + Math.floor(chip.time.nowMs)) | 0;
          },
          set(seconds: number) {
            if (!Number.isInteger(seconds) || seconds < 0 || seconds >= 2 ** 32) throw new RangeError('time.set takes whole seconds');
            chip.wallOffMs += seconds * 1000 - (WALL_AT_START_MS + chip.time.nowMs + chip.wallOffMs);
          },
        },
      },
      'embedded:io/socket/tcp': { default: makeTcp(this.#world) },
      'embedded:io/socket/udp': { default: makeUdp(this.#world) },
      'embedded:network/dns/resolver/udp': { default: makeResolver(this.time) },
      'embedded:storage/flash': { default: { open: ({ path }: { path: string }) => chip.#openFlash(path) } },
      'embedded:storage/key-value': { default: { open: (options: { path: string; format?: string }) => chip.#openStorage(options) } },
      'latchkey/network': { default: this.station.makeClass(), kind: 'wifi' },
      'latchkey/tls': {
        default: class extends FakeTlsEngine {
          constructor() {
            chip.openTlsCount += 1;
            super(() => (chip.openTlsCount -= 1));
          }
          static dropSessions(): void {}
          static selfTest(check = 'tls'): void {
            fail(check);
          }
        },
      },
      'latchkey/signer': {
        signSas: (slot: number, resource: string, expiry: number) => {
          chip.signedSlots.push(slot);
          return `${slot}/${resource}/${expiry}`;
        },
        derive: (from: number, label: string, into: number) => {
          chip.derived.push(`${from} ${label} ${into}`);
        },
        erase: () => {},
        backend: (slot: number) => chip.backends[slot],
        check: () => fail('check'),
        selfTest: () => fail('selfTest'),
      },
      // No test of the port brings new roots.
      'latchkey/verify': {},
      'latchkey/chip': {
        start: () => {},
        print: (line: string) => void chip.lines.push(JSON.parse(line) as ChipLine),
        restart: () => void chip.restarts++,
        restartCause: () => 'power-on',
        random,
        freeBytes: () => chip.freeBytes,
        largestFreeBytes: () => chip.largestFreeBytes,
        nameServers: () => (chip.network.isUp ? chip.nameServers : ''),
        wifiReason: () => chip.station.reason,
        checkPartitions: () => fail('partitions'),
        confirmImage: () => void chip.confirmations++,
      },
    };
  }

  /** A timer that has fired is gone: to schedule or clear it is an error of the caller. */
  #timer(): object {
    const chip = this;
    interface Handle { cancel: () => void; hasFired: boolean; callback: () => void }
    const plan = (handle: Handle, delayMs: number): void => {
      if (!(delayMs >= 0 && delayMs < 2 ** 31)) throw new RangeError(`a timer of ${delayMs} ms`);
      handle.cancel = chip.time.after(Math.trunc(delayMs), () => {
        handle.hasFired = true;
        try {
          handle.callback();
        } catch (error) {
          chip.aborts.push(error);
        }
      });
    };
    return {
      set(callback: () => void, delayMs = 0): Handle {
        const handle: Handle = { cancel: () => {}, hasFired: false, callback };
        plan(handle, delayMs);
        return handle;
      },
      schedule(handle: Handle, delayMs: number): void {
        if (handle.hasFired) throw new TypeError('this timer has fired');
        handle.cancel();
        plan(handle, delayMs);
      },
      clear(handle: Handle | undefined): void {
        if (handle === undefined) throw new TypeError('no timer');
        handle.cancel();
      },
    };
  }

  #openFlash(path: string): object {
    if (path !== 'latchkey') throw new Error("can't find partition");
    const { flash } = this;
    return {
      status: () => flash.status(), close: () => {},
      eraseBlock: (start: number, end?: number) => flash.eraseBlock(start, end),
      read: (byteLength: number, byteOffset: number) => flash.read(byteLength, byteOffset),
      write: (bytes: ArrayBuffer | Uint8Array, byteOffset: number) => flash.write(bytes, byteOffset),
    };
  }

  /** NVS: a namespace that is not there, and a value of another type, are exceptions. */
  #openStorage({ path, format = 'buffer' }: { path: string; format?: string }): object {
    const { settings } = this;
    if (this.nvsError !== undefined) throw new Error(this.nvsError);
    if (path !== 'latchkey' || settings === undefined) throw new Error('ESP_ERR_NVS_NOT_FOUND');
    return {
      read(key: string): string | ArrayBuffer | undefined {
        if (key.length > 15) throw new Error('ESP_ERR_NVS_KEY_TOO_LONG');
        const value = settings[key];
        if (value !== undefined && (typeof value === 'string') !== (format === 'string')) throw new TypeError('mismatch');
        return value;
      },
      close() {},
    };
  }
}
