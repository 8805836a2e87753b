import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { LOG_FIRST_BLOCK } from '../../firmware/agent/roots/root-flash.ts';
import { DEVICE_ID } from '../fakes/agent-board-device.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { digestOf, partsOf, RECOVERY, revokes, RootBoard, urlOf } from '../fakes/root-board.ts';
import { trusted } from '../fakes/root-bundles.ts';

const DAY_MS = 24 * 3600 * 1000;

let world: RootBoard;

beforeAll(async () => void (world = await RootBoard.create()), 300_000);
afterEach(() => world.remove());

describe('a bundle offered by URL', () => {
  test('is fetched, tried beside the connection that works, and kept; the owner reads it in the twin', async () => {
    const run = await world.start();
    const { board, pki } = run;
    const asked = world.serve({ 2: await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)]) });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    await board.untilEvent('roots-passed', { version: 2 });
    await board.runFor(2000);
    expect(asked).toEqual(['200 /fleet/2.json']);
    expect(world.reportedRoots).toEqual({ version: 2, state: 'committed', fingerprints: [digestOf(pki.root.certificateDer), digestOf(world.other.root.certificateDer)] });
    expect(board.events('disconnected')).toEqual([]);
    expect(board.events('connected')).toHaveLength(1);
  });

  test('reaches the hub under its new root afterwards, also after a restart', async () => {
    const run = await world.start({ ttl: 60 });
    const { board, pki } = run;
    world.serve({ 2: await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)]) });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    await board.untilEvent('roots-passed', { version: 2 });
    run.showChain(world.other);
    await board.untilEvent('renewed');
    await board.stop();
    board.start(world.programs);
    await board.untilEvent('connected');
    expect(board.events('open-failed')).toEqual([]);
  });

  test('comes link by link for a device that missed two of them, over two changes of keys', async () => {
    const run = await world.start();
    const { board, pki } = run;
    const roots = [trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)];
    const asked = world.serve({
      2: await world.bundle([trusted(world.stranger.root.certificateDer)], { keys: world.keys.slice(2, 5), expires: '2026-12-02T00:00:00Z' }, [...world.keys.slice(0, 2), ...world.keys.slice(2, 4)]),
      3: await world.bundle([trusted(world.stranger.root.certificateDer)], { version: 3, keys: world.keys.slice(3, 6) }, world.keys.slice(2, 6)),
      4: await world.bundle(roots, { version: 4, keys: world.keys.slice(3, 6) }, world.keys.slice(4, 6)),
    });
    await board.untilEvent('connected');
    world.offer(urlOf(4));
    await board.untilEvent('roots-passed', { version: 4 });
    expect(asked).toEqual(['200 /fleet/2.json', '200 /fleet/3.json', '200 /fleet/4.json']);
    expect(board.events('roots-committed').map(({ version, phase }) => [version, phase])).toEqual([[2, 'inner'], [3, 'inner'], [4, 'trial']]);
    expect(board.events('disconnected')).toEqual([]);
  });
});

describe('a bundle in parts', () => {
  test('comes by desired properties, in any order', async () => {
    const run = await world.start();
    const { board, pki } = run;
    const parts = partsOf(await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)], { keys: world.keys }, world.keys.slice(0, 4)));
    expect(parts.length).toBeGreaterThan(1);
    await board.untilEvent('connected');
    for (const [index, part] of [...parts.entries()].reverse()) world.offer({ [`rootsPart${index}`]: part });
    await board.untilEvent('roots-passed', { version: 2 });
  });

  test('comes by a direct method, one part a call, and the device says which it has', async () => {
    const run = await world.start();
    const { board, pki, hub } = run;
    const parts = partsOf(await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)]));
    await board.untilEvent('connected');
    await board.runFor(1000);
    const answers: unknown[] = [];
    for (const payload of parts) {
      void hub.methods.invoke({ deviceId: DEVICE_ID }, { methodName: 'updateRoots', payload, responseTimeoutSeconds: 30, connectTimeoutSeconds: 0 }).then((answer) => answers.push(answer));
      await board.runFor(1000);
    }
    expect(answers.map((answer) => (answer as { status: number; payload: { have: number[] } }).payload.have)).toEqual([...parts.keys()].map((index) => (index === parts.length - 1 ? [] : [...parts.keys()].slice(0, index + 1))));
    await board.until('passed', () => board.events('roots-passed').length > 0);
  });
});

describe('roots that do not reach the hub', () => {
  test('are given up after three tries without the loss of a message, and the next version is taken', async () => {
    const run = await world.start();
    const { board, pki } = run;
    world.serve({
      2: await world.bundle([trusted(world.stranger.root.certificateDer)]),
      3: await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)], { version: 3 }),
    });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    await board.untilEvent('roots-rolled-back', { version: 2 });
    await board.runFor(2000);
    expect(world.reportedRoots).toMatchObject({ version: 2, state: 'rolledBack', fingerprints: [digestOf(pki.root.certificateDer)] });
    world.offer(urlOf(3));
    await board.untilEvent('roots-passed', { version: 3 });
    await board.stop();
    expect(board.events('disconnected').filter(({ code }) => code !== 'STOPPED')).toEqual([]);
    expect(run.ledger.counts()).toMatchObject({ duplicated: 0 });
  });

  test('are tried again hours later', async () => {
    const run = await world.start({ interval: 60_000 });
    const { board } = run;
    world.serve({ 2: await world.bundle([trusted(world.stranger.root.certificateDer)]) });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    const { atMs } = await board.untilEvent('roots-rolled-back', { version: 2 });
    const again = await board.untilEvent('roots-rolled-back', { version: 2 }, DAY_MS);
    expect(again.atMs - atMs).toBeGreaterThan(6 * 3_600_000);
    expect(again.atMs - atMs).toBeLessThan(13 * 3_600_000);
  });
});

describe('a hub that changed its root while the device was away', () => {
  test('is reached again by the next bundle from a plain HTTP server', async () => {
    const run = await world.start(RECOVERY);
    const { board, pki } = run;
    const asked = world.serve({ 2: await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)]) });
    run.showChain(world.other);
    await board.untilEvent('connected');
    expect(asked).toEqual(['200 /2.json', '404 /3.json']);
    // At once, whatever its back-off says.
    const over = board.events('roots-recovery').at(-1)?.atMs ?? 0;
    expect((board.events('connected')[0]?.atMs ?? Infinity) - over).toBeLessThan(1000);
    expect(board.events('open-failed').every(({ code }) => code === 'ERR_TLS_UNTRUSTED_ISSUER')).toBe(true);
  });

  test('is reached over an expired link that another follows', async () => {
    const run = await world.start(RECOVERY);
    const { board, pki } = run;
    const asked = world.serve({
      2: await world.bundle([trusted(pki.root.certificateDer)], { expires: '2026-12-02T00:00:00Z' }),
      3: await world.bundle([trusted(world.other.root.certificateDer)], { version: 3 }),
    });
    run.showChain(world.other);
    await board.untilEvent('connected');
    expect(asked).toEqual(['200 /2.json', '200 /3.json', '200 /2.json', '200 /3.json', '404 /4.json']);
  });

  test('is not looked for elsewhere when it shows another name, as a captive portal does, or a certificate that has expired', async () => {
    const run = await world.start(RECOVERY);
    const { board } = run;
    const asked = world.serve({ 2: await world.bundle([trusted(world.other.root.certificateDer)]) });
    run.showChain(await createTestPki(['portal.test']));
    await board.runFor(3_600_000);
    expect(asked).toEqual([]);
    expect(new Set(board.events('open-failed').map(({ code }) => code))).toEqual(new Set(['ERR_TLS_HOSTNAME']));
  });
});

describe('a committed bundle that flash has lost', () => {
  test('comes again by recovery, once nothing that is left reaches the hub', async () => {
    const run = await world.start(RECOVERY);
    const { board, pki } = run;
    const asked = world.serve({ 2: await world.bundle([trusted(pki.root.certificateDer), trusted(world.other.root.certificateDer)]) });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    await board.untilEvent('roots-passed', { version: 2 });
    await board.stop();
    writeFileSync(join(board.folder, 'flash.bin'), Buffer.from(board.readFlash()).fill(0xff, 0, LOG_FIRST_BLOCK * 4096));
    run.showChain(world.other);
    board.start(world.programs);
    await board.untilEvent('roots-damaged', { version: 2 });
    await board.untilEvent('roots-repaired', { version: 2 });
    await board.until('connected', () => board.events('connected').length > 1);
    await board.runFor(2000);
    expect(asked.slice(1)).toEqual(['200 /2.json', '404 /3.json']);
    expect(world.reportedRoots).toEqual({ version: 2, state: 'committed', fingerprints: [digestOf(pki.root.certificateDer), digestOf(world.other.root.certificateDer)] });
  });
});

describe('a set beyond its end', () => {
  test('is used all the same, and the owner is told that no newer one has come', async () => {
    const run = await world.start({ interval: 600_000 });
    const { board, pki } = run;
    const endsMs = Math.floor(board.clock.now() / 1000) * 1000 + 3_600_000;
    world.serve({ 2: await world.bundle([trusted(pki.root.certificateDer)], { expires: new Date(endsMs).toISOString().replace('.000', '') }) });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    await board.untilEvent('roots-passed', { version: 2 });
    await board.untilEvent('roots-expired', { version: 2 }, DAY_MS);
    await board.runFor(2000);
    expect(world.reportedRoots).toMatchObject({ version: 2, state: 'committed', error: 'ERR_ROOTS_EXPIRED' });
  });
});

describe('an attacker on the path who holds a revoked CA', () => {
  test('never gets a TLS session after the bundle was verified, whatever it lets fail', async () => {
    const run = await world.start({ ...RECOVERY, ttl: 120 });
    const { board, pki, hubEvents } = run;
    world.serve({ 2: await world.bundle([trusted(world.other.root.certificateDer), revokes(pki.root.certificateDer)]) });
    await board.untilEvent('connected');
    // From now on everything that the device reaches is the attacker's, under the CA that was stolen.
    world.offer(urlOf(2));
    await board.untilEvent('roots-committed', { version: 2 });
    const from = board.lines.length;
    const sessionsBefore = hubEvents.filter(({ event }) => event === 'connectionOpened').length;
    await board.runFor(DAY_MS / 4);
    expect(hubEvents.filter(({ event }) => event === 'connectionOpened')).toHaveLength(sessionsBefore);
    expect(board.lines.slice(from).filter(({ event }) => event === 'connected' || event === 'renewed')).toEqual([]);
    expect(board.events('open-failed').length).toBeGreaterThan(100);
    expect(board.events('roots-rolled-back')).toEqual([]);
    run.showChain(world.other);
    await board.untilEvent('connected');
    await board.runFor(2000);
    expect(world.reportedRoots).toMatchObject({ version: 2, state: 'committed', fingerprints: [digestOf(world.other.root.certificateDer)] });
  }, 240_000);
});

describe('a trial', () => {
  test('goes on over three days without a network, and ends with the new set', async () => {
    const run = await world.start({ ttl: 3600, interval: 60_000 });
    const { board } = run;
    world.serve({ 2: await world.bundle([trusted(world.other.root.certificateDer)]) });
    await board.untilEvent('connected');
    world.offer(urlOf(2));
    await board.untilEvent('roots-committed', { version: 2 });
    const doors = new Map(board.tcp);
    board.tcp.clear();
    board.link.cut();
    await board.runFor(3 * DAY_MS);
    expect(board.events('roots-rolled-back')).toEqual([]);
    for (const [endpoint, accept] of doors) board.tcp.set(endpoint, accept);
    run.showChain(world.other);
    const from = board.lines.length;
    await board.until('connected', () => board.lines.slice(from).some(({ event }) => event === 'connected'));
    expect(board.lines.slice(from).some(({ event }) => event === 'roots-passed')).toBe(true);
  }, 240_000);

  test('is passed by a hub that answers CONNECT with 5', async () => {
    const run = await world.start({ ttl: 60 });
    const { board, pki, hub } = run;
    world.serve({ 2: await world.bundle([trusted(world.other.root.certificateDer), trusted(pki.root.certificateDer)]) });
    await board.untilEvent('connected');
    hub.registry.setEnabled(DEVICE_ID, false);
    await board.untilEvent('refused');
    expect(board.events('roots-rolled-back')).toEqual([]);
  });
});
