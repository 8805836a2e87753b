import type { Clock } from '../time/clock.ts';
import { Link } from '../time/link.ts';
import { realClock } from '../time/real-clock.ts';
import { openTcpProxy } from '../time/tcp-proxy.ts';
import { VirtualClock } from '../time/virtual-clock.ts';
import { VirtualNetwork } from '../time/virtual-network.ts';
import { HUB_NAME, openServices, virtualServices, type HubPlaces, type HubSide, type Place, type VirtualSite } from './hub-side.ts';
import type { LocalPki } from './local-pki.ts';
import type { SimulationOptions } from './options.ts';
import type { RunPlan } from './run.ts';
import { runReal } from './run-real.ts';
import { runVirtual } from './run-virtual.ts';

/** Where virtual time begins: always the same, and later than the release time of any firmware that is run in it. */
export const VIRTUAL_START_MS = Date.UTC(2027, 0, 1);

/** Hub, link and boards on one clock, real or virtual. */
export interface World {
  readonly places: HubPlaces;
  /** Where the devices find the hub. */
  readonly deviceDoor: Place;
  readonly link: Link;
  /** What may change while boards run; `undefined` in real time. */
  readonly site: VirtualSite | undefined;
  run(plan: RunPlan): Promise<void>;
  close(): Promise<void>;
}

export function chooseClock(isVirtual: boolean): Clock {
  return isVirtual ? new VirtualClock(VIRTUAL_START_MS) : realClock;
}

/** @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
export async function openWorld(options: SimulationOptions, clock: Clock, side: HubSide, pki: LocalPki): Promise<World> {
  const link = new Link({ clock, delayMs: options.delayMs });
  return clock instanceof VirtualClock ? openVirtualWorld(link, clock, side, pki) : openRealWorld(options, link, side, pki);
}

async function openRealWorld(options: SimulationOptions, link: Link, side: HubSide, pki: LocalPki): Promise<World> {
  const services = await openServices(side, pki, link.clock, options.port);
  const needsLink = options.delayMs > 0 || options.cutCount > 0;
  const proxy = needsLink ? await openTcpProxy(link, services.hub) : undefined;
  return {
    places: services,
    deviceDoor: proxy ?? services.hub,
    link,
    site: undefined,
    run: (plan) => runReal(plan, { [HUB_NAME]: services.hub.address, localhost: services.date.address }),
    async close() {
      await proxy?.close();
      await services.close();
    },
  };
}

function openVirtualWorld(link: Link, clock: VirtualClock, side: HubSide, pki: LocalPki): World {
  const site = virtualServices(side, pki, clock);
  const { places } = site;
  const network = new VirtualNetwork(link, site.services);
  return { places, deviceDoor: places.hub, link, site, run: (plan) => runVirtual(plan, clock, network), close: () => side.hub.close() };
}
