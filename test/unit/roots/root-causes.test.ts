import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { RootKeeper } from '../../../firmware/agent/roots/root-keeper.ts';
import type { TrustedAgent } from '../../../firmware/agent/trust.ts';
import { projectPath } from '../../../host-sim/board/project-path.ts';
import { nodeRootVerifier } from '../../../host-sim/roots/node-verifier.ts';
import { recordEvidence } from '../../evidence.ts';
import { FakeNetwork } from '../../fakes/fake-network.ts';
import { FakePort } from '../../fakes/fake-port.ts';
import { FakeTime } from '../../fakes/fake-time.ts';
import { BUNDLE_HUB } from '../../fakes/root-bundles.ts';
import { RootFixture } from '../../fakes/root-fixture.ts';

/** What TLS or the network says when there is no connection, and whether it says that the hub's root is another one. */
const CAUSES: readonly (readonly [string, boolean])[] = [
  ['ERR_TLS_UNTRUSTED_ISSUER', true],
  ['ERR_TLS_NOT_A_CA', false],
  ['ERR_TLS_HOSTNAME', false],
  ['ERR_TLS_EXPIRED', false],
  ['ERR_TLS_NOT_YET_VALID', false],
  ['ERR_TLS_USAGE', false],
  ['ERR_TLS_WEAK_KEY', false],
  ['ERR_TLS_WEAK_HASH', false],
  ['ERR_TLS_VERSION', false],
  ['ERR_TLS_CIPHER', false],
  ['ERR_TLS_PROTOCOL', false],
  ['ERR_TLS_CONFIG', false],
  ['ERR_TLS_MEMORY', false],
  ['ERR_TIMEOUT', false],
  ['ERR_DNS', false],
  ['ERR_TCP', false],
];
const TIMES = 20;
const EVERY_MS = 60_000;

let fixture: RootFixture;
let bundle: Uint8Array;

beforeAll(async () => {
  fixture = await RootFixture.create();
  bundle = await fixture.bundle();
});

interface Bench {
  readonly keeper: RootKeeper;
  /** Names that were looked up: nobody but a recovery does. */
  readonly asked: string[];
  /** Fails `TIMES` times, a minute apart. */
  fail(code: string, epoch?: number): void;
}

/** A keeper whose roots are on trial, or not. */
function openBench(isOnTrial: boolean): Bench {
  const flash = fixture.flash();
  if (isOnTrial) fixture.updateByParts(fixture.open(flash), bundle);
  const time = new FakeTime();
  const asked: string[] = [];
  const port = Object.assign(new FakePort(time, new FakeNetwork(time)), { resolve: (host: string) => void asked.push(host) });
  const keeper = new RootKeeper({
    port, flash, verifier: nodeRootVerifier, identity: { hub: BUNDLE_HUB, deviceId: 'dev1' }, host: BUNDLE_HUB, hostPort: 8883, factory: fixture.factory, recoveryHosts: ['roots.test'],
  });
  let nowMs = 0;
  const agent: TrustedAgent = {
    nowMs: () => nowMs, clockLevel: 'confirmed', isConnected: false, isOpening: false,
    report: () => true, tell: () => {}, reconnect: () => {}, connectNow: () => {}, trustPlanned: () => {},
  };
  keeper.attach(agent);
  keeper.start();
  keeper.woke(0);
  return {
    keeper,
    asked,
    fail(code, epoch) {
      for (let times = 0; times < TIMES; times++) {
        nowMs += EVERY_MS;
        keeper.linkFailed(code, epoch ?? keeper.epoch);
        if (keeper.wakeAtMs <= nowMs) keeper.woke(nowMs);
      }
    },
  };
}

describe('of the reasons why there is no connection', () => {
  test.each(CAUSES)('%s counts against a trial: %s', (code, counts) => {
    const { keeper, fail } = openBench(true);
    fail(code);
    expect(keeper.store.phase).toBe(counts ? 'failed' : 'trial');
  });

  test.each(CAUSES)('%s leads to a recovery: %s', (code, counts) => {
    const { asked, fail } = openBench(false);
    fail(code);
    expect(asked.length > 0).toBe(counts);
    if (counts) expect(new Set(asked)).toEqual(new Set(['roots.test']));
  });

  test('the one that counts does not when the connection was opened with other anchors', () => {
    const { keeper, fail } = openBench(true);
    fail('ERR_TLS_UNTRUSTED_ISSUER', keeper.epoch - 1);
    expect(keeper.store.phase).toBe('trial');
  });

  test('a session that is up ends the trial whatever MQTT says then, CONNACK 5 included', () => {
    const { keeper } = openBench(true);
    keeper.linkOpened(keeper.epoch);
    expect(keeper.store.phase).toBe('kept');
    recordEvidence('root-causes', CAUSES.length);
  });

  test('the page for operators says the same', () => {
    const rows = readFileSync(projectPath('docs/roots.md'), 'utf8').matchAll(/^\| `(ERR_(?:TLS_[A-Z_]+|TIMEOUT|DNS|TCP))` \|.*\| (yes|no) \|$/gm);
    expect([...rows].map(([, code, counts]) => [code, counts === 'yes'])).toEqual(CAUSES);
  });
});
