import { BundleServer } from '../roots/bundle-server.ts';
import type { Cable } from '../time/cable.ts';
import type { Tell } from './events.ts';
import type { HubSide, Place, VirtualSite } from './hub-side.ts';
import { BUNDLE_HOST, MISTAKE_HOST, type MigrationOwner } from './migration-owner.ts';
import type { Plan } from './scenarios.ts';

/** Parts of the run at which things happen. */
const AT = { pulled: 0.08, offered: 0.12, moved: 0.3, closed: 0.38, plugged: 0.4, counted: 0.97 } as const;
/** Of the fleet, so many are away while the hub moves; one at least. */
const AWAY_OF = 10;
/** How often the owner looks at the fleet. */
const WATCH_MS = 5000;
const BUNDLE_PLACE: Place = { address: '192.0.2.9', port: 80 };
const MISTAKE_PLACE: Place = { address: '192.0.2.10', port: 80 };
const CONFIGURATION_ID = 'roots-2';
const MISTAKE_ID = 'roots-2-mistake';
const NEXT_ID = 'roots-3';

export interface MigrationDevice {
  readonly deviceId: string;
  readonly cable: Cable;
  /** Messages that its `send()` accepted. */
  readonly sentCount: () => number;
}

export interface MigrationTarget {
  readonly side: HubSide;
  readonly site: VirtualSite;
  readonly owner: MigrationOwner;
  /** At least MIN_MIGRATION_DEVICES (options.ts). */
  readonly devices: readonly MigrationDevice[];
  /** The control: nobody offers or serves a bundle. */
  readonly noUpdates: boolean;
}

/** What a migration came to. */
export interface MigrationCounts {
  /** Devices with a connection under the new chain, shortly before the end. */
  readonly online: number;
  /** Of these, those that had lost their way: away while the hub moved, or given roots that do not reach it. */
  readonly recovered: number;
  /** Devices that gave up roots which do not reach the hub. */
  readonly rolledBack: number;
  /** Messages that `send()` accepted and the hub has not, of devices that were never away. */
  readonly lost: number;
}

/**
 * The hub moves to a chain under another root while its devices are connected. Most have taken a bundle with both roots before, by an
 * automatic configuration; some are away and find the hub's new root by recovery; one gets a bundle that leads nowhere, goes back, and
 * gets the next one as soon as its owner sees that in its twin.
 */
export class RootMigration {
  readonly #target: MigrationTarget;
  readonly #plan: Plan;
  readonly #away: readonly MigrationDevice[];
  readonly #stray: MigrationDevice;
  readonly #rolledBack = new Set<string>();
  readonly #found = new Set<string>();
  /** Connections under the old chain. */
  readonly #before = new Map<number, string>();
  readonly #cancels: (() => void)[] = [];
  #hasMoved = false;
  #counted: Pick<MigrationCounts, 'online' | 'recovered'> = { online: 0, recovered: 0 };

  constructor(target: MigrationTarget, plan: Plan & { readonly durationMs: number }) {
    const { devices, side } = target;
    this.#target = target;
    this.#plan = plan;
    this.#away = devices.slice(0, Math.max(1, Math.floor(devices.length / AWAY_OF)));
    this.#stray = devices[devices.length - 1]!;
    this.#cancels.push(
      side.hub.onEvent((event) => {
        if (event.event === 'connected' && !this.#hasMoved) this.#before.set(event.connection, event.deviceId);
        if (event.event === 'disconnected') this.#before.delete(event.connection);
      }),
    );
    const at = (part: number, action: () => void): void => void this.#cancels.push(plan.clock.setTimer(part * plan.durationMs, action));
    at(AT.pulled, () => this.#pull());
    if (!target.noUpdates) at(AT.offered, () => this.#offer());
    at(AT.moved, () => this.#move());
    at(AT.closed, () => this.#closeOld());
    at(AT.plugged, () => this.#plug());
    at(AT.counted, () => this.#count());
  }

  /** What the devices say of their roots. */
  observe(event: Parameters<Tell>[0]): void {
    if (event.source !== 'device') return;
    if (event.body.event === 'roots-rolled-back') this.#rolledBack.add(event.device);
    if (event.body.event === 'roots-recovery' && event.body['code'] === 'OK') this.#found.add(event.device);
  }

  counts(): MigrationCounts {
    const stayed = this.#target.devices.filter((device) => !this.#away.includes(device));
    const lost = stayed.reduce((sum, { deviceId, sentCount }) => sum + Math.max(0, sentCount() - this.#target.side.ledger.receivedOf(deviceId)), 0);
    return { ...this.#counted, rolledBack: this.#rolledBack.size, lost };
  }

  /** Takes everything off the clock. */
  close(): void {
    for (const cancel of this.#cancels) cancel();
  }

  #pull(): void {
    for (const { cable } of this.#away) cable.pull();
    this.#tell('began', `${count(this.#away.length)} without a network from now on`);
  }

  #offer(): void {
    const { side, site, owner, devices } = this.#target;
    const { configurations } = side.hub;
    const published: Uint8Array[] = [owner.bundle];
    serve(site, BUNDLE_HOST, BUNDLE_PLACE, published);
    serve(site, MISTAKE_HOST, MISTAKE_PLACE, [owner.mistake]);
    const offer = (id: string, host: string, version: number, targetCondition: string, priority: number): void =>
      configurations.create(id, { content: { deviceContent: { 'properties.desired.roots': { version, url: `http://${host}/${version}.json` } } }, targetCondition, priority });
    const stray = `deviceId = '${this.#stray.deviceId}'`;
    offer(CONFIGURATION_ID, BUNDLE_HOST, 2, '*', 10);
    offer(MISTAKE_ID, MISTAKE_HOST, 2, stray, 20);
    this.#tell('step', `a configuration offers version 2 of the roots to ${count(devices.length)}; ${this.#stray.deviceId} gets one that does not reach the hub`);
    const watch = (): void => {
      const reported = side.hub.twins.read({ deviceId: this.#stray.deviceId }).reported['roots'];
      if (!isRolledBack(reported)) return void this.#cancels.push(this.#plan.clock.setTimer(WATCH_MS, watch));
      published.push(owner.next);
      offer(NEXT_ID, BUNDLE_HOST, 3, stray, 30);
      this.#tell('step', `${this.#stray.deviceId} reports that it went back: its owner offers version 3`);
    };
    watch();
  }

  #move(): void {
    this.#hasMoved = true;
    this.#target.site.showChain(this.#target.owner.moved.tls);
    this.#tell('step', 'the hub moves: new connections see a chain under another root');
  }

  /** As when the last gateway with the old certificate is switched off. */
  #closeOld(): void {
    const old = new Set(this.#before.values());
    for (const deviceId of old) this.#target.side.hub.dropConnection({ deviceId });
    this.#tell('step', `what is left under the old chain is closed: ${old.size} connection${old.size === 1 ? '' : 's'}`);
  }

  #plug(): void {
    for (const { cable } of this.#away) cable.plug();
    this.#tell('step', `${count(this.#away.length)} with a network again`);
  }

  #count(): void {
    const { devices, side } = this.#target;
    const before = new Set(this.#before.values());
    const online = devices.filter(({ deviceId }) => side.ledger.isConnected(deviceId) && !before.has(deviceId)).map(({ deviceId }) => deviceId);
    const recovered = online.filter((deviceId) => this.#found.has(deviceId) || this.#rolledBack.has(deviceId));
    this.#counted = { online: online.length, recovered: recovered.length };
    this.#tell('ended', `${online.length} of ${count(devices.length)} are online under the new root`);
  }

  #tell(event: 'began' | 'step' | 'ended', text: string): void {
    this.#plan.tell({ source: 'scenario', body: { event, name: 'root-migration', text } });
  }
}

/** Version 2 and what follows. */
function serve(site: VirtualSite, name: string, place: Place, bundles: readonly Uint8Array[]): void {
  const server = new BundleServer((version) => bundles[version - 2]);
  site.addHost(name, place, (socket) => server.accept(socket));
}

function isRolledBack(reported: unknown): boolean {
  return typeof reported === 'object' && reported !== null && 'state' in reported && reported.state === 'rolledBack';
}

const count = (devices: number): string => `${devices} device${devices === 1 ? '' : 's'}`;
