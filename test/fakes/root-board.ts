import { createHash, randomBytes } from 'node:crypto';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import { PART_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import type { JsonObject } from '../../host-sim/hub/twins/json.ts';
import { BundleServer } from '../../host-sim/roots/bundle-server.ts';
import { HUB_NAME, SERVER_NAMES } from '../../host-sim/simulation/hub-side.ts';
import type { VirtualSocket } from '../../host-sim/time/virtual-socket.ts';
import { buildAgent, type AgentPrograms } from './agent-board.ts';
import { DEVICE_ID, type DeviceSettings } from './agent-board-device.ts';
import { openHubBoard, type HubBoard } from './agent-board-hub.ts';
import { createTestPki } from './agent-board-pki.ts';
import { makeBundle, makeUpdateKey, pointsOf, revoked, type BundleMembers, type UpdateKey } from './root-bundles.ts';

/** Where devices find bundles. */
export const BUNDLE_HOST = 'roots.test';
const BUNDLE_ADDRESS = '192.0.2.9';
const BUNDLE_ENDPOINT = `${BUNDLE_ADDRESS}:80`;
/** Recovery begins after seconds. */
export const RECOVERY = { recovery: BUNDLE_HOST, rfails: 3, rover: 5000, rpause: 2000 } as const;

/** A device whose image has the hub's root and three update keys, of which two must sign; a hub; and chains under other roots. */
export class RootBoard {
  readonly programs: AgentPrograms;
  /** The first three are the image's. */
  readonly keys: readonly UpdateKey[];
  /** A chain under another root, and one that the hub never has. */
  readonly other: DevelopmentPki;
  readonly stranger: DevelopmentPki;
  #open: HubBoard | undefined;

  private constructor(programs: AgentPrograms, keys: readonly UpdateKey[], other: DevelopmentPki, stranger: DevelopmentPki) {
    this.programs = programs;
    this.keys = keys;
    this.other = other;
    this.stranger = stranger;
  }

  static async create(): Promise<RootBoard> {
    const programs = await buildAgent('32-bit');
    const keys = await Promise.all(Array.from({ length: 6 }, makeUpdateKey));
    return new RootBoard(programs, keys, await createTestPki(SERVER_NAMES), await createTestPki(SERVER_NAMES));
  }

  get run(): HubBoard {
    if (this.#open === undefined) throw new Error('no device was started');
    return this.#open;
  }

  async start(settings: DeviceSettings = {}): Promise<HubBoard> {
    this.#open = await openHubBoard({ key: randomBytes(32), updateKeys: pointsOf(this.keys.slice(0, 3)), settings: { interval: 500, rneed: 2, ...settings } });
    this.#open.board.names.set(BUNDLE_HOST, BUNDLE_ADDRESS);
    this.#open.board.start(this.programs);
    return this.#open;
  }

  remove(): Promise<void> | undefined {
    return this.#open?.board.remove();
  }

  /** Version 2 for this hub's devices, signed by the first two keys. */
  bundle(roots: readonly object[], members: Partial<BundleMembers> = {}, signers: readonly UpdateKey[] = this.keys.slice(0, 2)): Promise<Uint8Array> {
    return makeBundle({
      version: 2, roots, keys: this.keys.slice(0, 3), threshold: 2,
      issuedAt: '2026-12-01T00:00:00Z', expires: '2028-01-01T00:00:00Z', audience: { hubs: [HUB_NAME], idScopes: [], devices: '*' },
      ...members,
    }, signers);
  }

  /** Serves bundles by version on the virtual network; tells what was asked for. */
  serve(bundles: Readonly<Record<number, Uint8Array>>): string[] {
    const asked: string[] = [];
    const server = new BundleServer((version) => bundles[version], (path, status) => asked.push(`${status} ${path}`));
    this.run.board.tcp.set(BUNDLE_ENDPOINT, (socket) => server.accept(socket));
    return asked;
  }

  /** Whoever asks for a bundle gets this. */
  answerBy(accept: (socket: VirtualSocket) => void): void {
    this.run.board.tcp.set(BUNDLE_ENDPOINT, (socket) => {
      socket.on('error', () => {});
      accept(socket);
    });
  }

  offer(desired: JsonObject): void {
    this.run.hub.twins.patch({ deviceId: DEVICE_ID }, { properties: { desired } });
  }

  /** As the device has told them. */
  get reportedRoots(): unknown {
    return this.run.hub.twins.read({ deviceId: DEVICE_ID }).reported.roots;
  }
}

/** The offer of a version by URL. */
export function urlOf(version: number): JsonObject {
  return { roots: { version, url: `http://${BUNDLE_HOST}/fleet/${version}.json` } };
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function revokes(der: Uint8Array): object {
  return revoked(createHash('sha256').update(der).digest());
}

/** The offers that carry a bundle. */
export function partsOf(bytes: Uint8Array, version = 2): JsonObject[] {
  const parts = Math.ceil(bytes.length / PART_BYTES);
  const sha256 = digestOf(bytes);
  return Array.from({ length: parts }, (_, index) => ({ version, sha256, parts, index, part: Buffer.from(bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)).toString('base64url') }));
}
