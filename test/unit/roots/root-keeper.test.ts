import { beforeAll, describe, expect, test } from '@jest/globals';

import type { AgentEvent } from '../../../firmware/agent/events.ts';
import { RootKeeper } from '../../../firmware/agent/roots/root-keeper.ts';
import type { TrustedAgent } from '../../../firmware/agent/trust.ts';
import { nodeRootVerifier } from '../../../host-sim/roots/node-verifier.ts';
import { FakeNetwork } from '../../fakes/fake-network.ts';
import { FakePort } from '../../fakes/fake-port.ts';
import { FakeTime } from '../../fakes/fake-time.ts';
import { NorFlash } from '../../fakes/nor-flash.ts';
import { BUNDLE_HUB } from '../../fakes/root-bundles.ts';
import { RootFixture } from '../../fakes/root-fixture.ts';

const UNTRUSTED = 'ERR_TLS_UNTRUSTED_ISSUER';

let fixture: RootFixture;
let bundle: Uint8Array;

beforeAll(async () => {
  fixture = await RootFixture.create();
  bundle = await fixture.bundle();
});

/** Flash whose driver gives up. */
class BrokenFlash extends NorFlash {
  isBroken = false;

  override write(bytes: ArrayBuffer | Uint8Array, byteOffset: number): void {
    if (this.isBroken) throw new Error('flash: write failed');
    super.write(bytes, byteOffset);
  }
}

interface Bench {
  readonly keeper: RootKeeper;
  readonly flash: BrokenFlash;
  readonly events: AgentEvent[];
  readonly reports: unknown[];
}

/** A keeper whose roots are on trial. */
function openBench(idScope?: string): Bench {
  const flash = new BrokenFlash(16, 4096);
  fixture.updateByParts(fixture.open(flash), bundle);
  const time = new FakeTime();
  const events: AgentEvent[] = [];
  const reports: unknown[] = [];
  const keeper = new RootKeeper({
    port: new FakePort(time, new FakeNetwork(time)), flash, verifier: nodeRootVerifier, identity: { hub: BUNDLE_HUB, deviceId: 'dev1' }, host: BUNDLE_HUB, hostPort: 8883,
    factory: fixture.factory, idScope,
  });
  const agent: TrustedAgent = {
    nowMs: () => 0, clockLevel: 'confirmed', isConnected: false, isOpening: false,
    report: (patch) => reports.push(patch) > 0, tell: (event) => void events.push(event), reconnect: () => {}, connectNow: () => {}, trustPlanned: () => {},
  };
  keeper.attach(agent);
  keeper.start();
  keeper.woke(0);
  flash.isBroken = true;
  return { keeper, flash, events, reports };
}

describe('flash that gives up while roots are on trial', () => {
  test('does not throw into what TLS said, and the trial has passed until the next start', () => {
    const { keeper, flash, events } = openBench();
    keeper.linkOpened(keeper.epoch);
    expect(keeper.store.phase).toBe('kept');
    expect(events).toContainEqual({ type: 'roots-refused', code: 'ERR_BUNDLE_FLASH', version: 2 });
    expect(fixture.open(flash.clone()).phase).toBe('trial');
  });

  test('does not keep a device on roots that do not reach the hub', () => {
    const { keeper } = openBench();
    for (let failures = 0; failures < 3; failures++) keeper.linkFailed(UNTRUSTED, keeper.epoch);
    expect(keeper.store.phase).toBe('failed');
    expect(keeper.anchors().map((der) => Buffer.from(der).equals(Buffer.from(fixture.oldRoot)))).toEqual([true]);
  });

  test('refuses a bundle with a code of its own, and the set before counts', async () => {
    const { keeper } = openBench();
    const third = await fixture.bundle({ version: 3, expires: '2036-01-01T00:00:00Z' });
    expect(keeper.take(third, 3, false)).toBe('ERR_BUNDLE_FLASH');
    expect([keeper.store.version, keeper.store.phase]).toEqual([2, 'trial']);
  });
});

test('a bundle for the id scope of the device is taken, and one for another is not', async () => {
  const make = (idScope: string): Promise<Uint8Array> => fixture.bundle({ version: 3, expires: '2036-01-01T00:00:00Z', audience: { hubs: [], idScopes: [idScope], devices: '*' } });
  const { keeper, flash } = openBench('0ne00000001');
  flash.isBroken = false;
  expect(keeper.take(await make('0ne00000002'), 3, false)).toBe('ERR_BUNDLE_AUDIENCE');
  expect(keeper.take(await make('0ne00000001'), 3, false)).toBeUndefined();
});

test('another hub is told of the roots, though nothing about them has changed', () => {
  const { keeper, reports } = openBench();
  const told = reports.length;
  keeper.hubAssigned({ hub: 'other.azure-devices.net', deviceId: 'dev1' }, 'other.azure-devices.net');
  expect(reports.slice(told)).toEqual([reports[told - 1]]);
});
