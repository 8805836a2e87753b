import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import type { Hub } from '../../host-sim/hub/hub.ts';
import { createHubSide, HUB_NAME, openServices, SERVER_NAMES, type ListeningServices } from '../../host-sim/simulation/hub-side.ts';
import { openLocalPki, type LocalPki } from '../../host-sim/simulation/local-pki.ts';
import { Link } from '../../host-sim/time/link.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { openTcpProxy, type TcpProxy } from '../../host-sim/time/tcp-proxy.ts';
import { DeviceWatch } from './device-watch.ts';

/** A device that the hub knows, and what the hub sees of it. */
export interface WatchedDevice {
  readonly deviceId: string;
  readonly keyBase64: string;
  readonly watch: DeviceWatch;
}

/** A hub in real time behind a link with delay: the same for the agent and for whoever stands beside it. */
export interface RealWorld {
  readonly hub: Hub;
  readonly hubName: string;
  readonly services: ListeningServices;
  readonly pki: LocalPki;
  /** Where clients go. */
  readonly proxy: TcpProxy;
  /** Temporary, for the devices' files. */
  readonly folder: string;
  addDevice(deviceId: string): WatchedDevice;
  close(): Promise<void>;
}

/** The hub ends a connection with its token: whoever renews too late is seen. */
const GRACE_MS = 0;

export async function openRealWorld(delayMs: number): Promise<RealWorld> {
  const watches: DeviceWatch[] = [];
  const side = createHubSide(realClock, GRACE_MS, (event) => watches.forEach((watch) => watch.observe(event)));
  const pki = await openLocalPki(SERVER_NAMES, realClock.now(), 'real');
  const services = await openServices(side, pki, realClock, 0);
  const proxy = await openTcpProxy(new Link({ clock: realClock, delayMs }), services.hub);
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  return {
    hub: side.hub,
    hubName: HUB_NAME,
    services,
    pki,
    proxy,
    folder,
    addDevice(deviceId) {
      const watch = new DeviceWatch(deviceId);
      watches.push(watch);
      return { deviceId, keyBase64: encodeKey(side.hub.registry.add({ deviceId }).keys.primary), watch };
    },
    async close() {
      await proxy.close();
      await services.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
