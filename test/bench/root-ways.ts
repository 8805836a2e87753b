import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import { MAX_BUNDLE_BYTES, MAX_BUNDLE_SIGNATURES, MAX_UPDATE_KEYS, PART_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import type { BoardReport } from '../../host-sim/board/board.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import type { JsonObject } from '../../host-sim/hub/twins/json.ts';
import { BundleServer } from '../../host-sim/roots/bundle-server.ts';
import { HUB_NAME, SERVER_NAMES } from '../../host-sim/simulation/hub-side.ts';
import { openHubBoard, type HubBoard } from '../fakes/agent-board-hub.ts';
import type { AgentPrograms } from '../fakes/agent-board.ts';
import { DEVICE_ID, type DeviceSettings } from '../fakes/agent-board-device.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { formatPayload, makeUpdateKey, pointsOf, signBundle, trusted, type UpdateKey } from '../fakes/root-bundles.ts';

const HOST = 'roots.test';
const ADDRESS = '192.0.2.9';
const KEY = new Uint8Array(32).fill(0x44);
/** As a fleet would have it; the keys of a bundle are as many as there may be. */
const THRESHOLD = 2;
const WARM_UP_MS = 30_500;
/** Messages that wait for a connection would take heap with and without a recovery: there are none. */
const RECOVERY: DeviceSettings = { interval: 3_600_000, recovery: HOST, rfails: 3, rover: 5000, rpause: 2000 };

/** The ways on which roots come to a device, or go. */
export const ROOT_WAYS = ['url', 'desired', 'method', 'message', 'recovery', 'boot', 'rollback'] as const;
export type RootWay = (typeof ROOT_WAYS)[number];

export interface WayFigures {
  readonly way: RootWay;
  readonly bundleBytes: number;
  /** Before, and for the peaks of the way itself. */
  readonly before: BoardReport;
  readonly after: BoardReport;
}

/** What the way took at its peak above what the connected agent takes at its own, without the bytes of the bundle. */
export function extraHeapOf({ before, after, bundleBytes }: WayFigures): number {
  return after.peakHeapBytes - before.peakHeapBytes - bundleBytes;
}

/** What every way of a bundle of `bundleBytes` takes of the 32-bit board. */
export class RootWays {
  readonly #programs: AgentPrograms;
  readonly #keys: readonly UpdateKey[];
  readonly #other: DevelopmentPki;

  private constructor(programs: AgentPrograms, keys: readonly UpdateKey[], other: DevelopmentPki) {
    this.#programs = programs;
    this.#keys = keys;
    this.#other = other;
  }

  static async open(programs: AgentPrograms): Promise<RootWays> {
    return new RootWays(programs, await Promise.all(Array.from({ length: MAX_UPDATE_KEYS }, makeUpdateKey)), await createTestPki(SERVER_NAMES));
  }

  async measure(way: RootWay, app?: 'thermostat'): Promise<WayFigures> {
    const settings: DeviceSettings = { interval: 1000, rneed: THRESHOLD, ...(app !== undefined && { app }), ...(way === 'recovery' && RECOVERY) };
    const world = await openHubBoard({ key: KEY, updateKeys: pointsOf(this.#keys.slice(0, 3)), settings });
    const { board, pki } = world;
    try {
      const roots = way === 'rollback' ? [this.#other] : [pki, this.#other];
      const bundle = await this.#bundle(roots.map(({ root }) => root.certificateDer));
      board.names.set(HOST, ADDRESS);
      const server = new BundleServer((version) => (version === 2 ? bundle : undefined));
      board.tcp.set(`${ADDRESS}:80`, (socket) => server.accept(socket));
      board.start(this.#programs);
      await board.untilEvent('connected');
      await board.runFor(WARM_UP_MS);
      const before = await board.report();
      await this.#go(way, world, bundle);
      return { way, bundleBytes: bundle.length, before, after: await board.report() };
    } finally {
      await board.remove();
    }
  }

  async #go(way: RootWay, world: HubBoard, bundle: Uint8Array): Promise<void> {
    const { board, hub } = world;
    const desired = (properties: JsonObject): void => void hub.twins.patch({ deviceId: DEVICE_ID }, { properties: { desired: properties } });
    const url = (): void => desired({ roots: { version: 2, url: `http://${HOST}/2.json` } });
    const passed = (): Promise<unknown> => board.until('passed', () => board.events('roots-passed').length > 0);
    switch (way) {
      case 'url':
        url();
        return void (await passed());
      case 'desired':
        for (const [index, part] of partsOf(bundle).entries()) desired({ [`rootsPart${index}`]: part });
        return void (await passed());
      case 'method':
        for (const payload of partsOf(bundle)) {
          void hub.methods.invoke({ deviceId: DEVICE_ID }, { methodName: 'updateRoots', payload, responseTimeoutSeconds: 30, connectTimeoutSeconds: 0 });
          await board.runFor(1000);
        }
        return void (await passed());
      case 'message':
        for (const [index, part] of partsOf(bundle).entries()) {
          hub.messages.enqueue({ deviceId: DEVICE_ID }, { messageId: `m${index}`, properties: { latchkey: 'roots' }, payload: Buffer.from(JSON.stringify(part)) });
        }
        return void (await passed());
      case 'recovery':
        world.showChain(this.#other);
        board.link.cut();
        await passed();
        return board.runFor(2000);
      case 'boot':
        url();
        await passed();
        await board.stop();
        board.start(this.#programs);
        await board.untilEvent('connected');
        return board.runFor(2000);
      case 'rollback':
        url();
        await board.untilEvent('roots-rolled-back');
        return board.runFor(2000);
    }
  }

  /** As large as a bundle may be: public roots too, every key there may be, many signatures, and space between. */
  async #bundle(roots: readonly Uint8Array[]): Promise<Uint8Array> {
    const publicRoots = ['microsoft-rsa-root-2017', 'digicert-global-root-g2'].map((name) => readFileSync(projectPath(`certs/${name}.der`)));
    const payload = formatPayload({
      version: 2, keys: this.#keys, threshold: THRESHOLD, roots: [...roots, ...publicRoots].map((der) => trusted(der)),
      issuedAt: '2026-12-01T00:00:00Z', expires: '2028-01-01T00:00:00Z', audience: { hubs: [HUB_NAME], idScopes: [], devices: '*' },
    });
    const signers = Array.from({ length: MAX_BUNDLE_SIGNATURES }, (_, index) => this.#keys[index % this.#keys.length]!);
    const format = async (padding: number): Promise<Uint8Array> => Buffer.from(JSON.stringify(await signBundle(payload + ' '.repeat(padding), signers)));
    const left = MAX_BUNDLE_BYTES - (await format(0)).length;
    return format(Math.floor((left * 3) / 4) - 2);
  }
}

function partsOf(bundle: Uint8Array): JsonObject[] {
  const sha256 = createHash('sha256').update(bundle).digest('hex');
  const parts = Math.ceil(bundle.length / PART_BYTES);
  return Array.from({ length: parts }, (_, index) => ({
    version: 2, sha256, parts, index, part: Buffer.from(bundle.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)).toString('base64url'),
  }));
}
