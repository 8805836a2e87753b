import { describe, expect, test } from '@jest/globals';

import { ConnectivityWalk, type Fate, type WalkOptions } from '../../fakes/connectivity-walk.ts';

const DAY_MS = 86_400_000;
const GOOD: Fate = { opensAfterMs: 300, answer: 'accepted', answersAfterMs: 100 };
const REFUSED: Fate = { ...GOOD, answer: 5 };

function connected(options: WalkOptions): ConnectivityWalk {
  const walk = new ConnectivityWalk(options).start();
  expect(walk.time.runUntil(() => walk.state.hasCurrent, 10_000)).toBe(true);
  return walk;
}

/** A walk whose hub starts to refuse once it is connected, and stops when `good` is set. */
function refusing(options: WalkOptions): { walk: ConnectivityWalk; hub: { good: boolean } } {
  const hub = { good: true };
  const walk = connected({ ...options, fate: () => (hub.good ? GOOD : REFUSED) });
  hub.good = false;
  return { walk, hub };
}

test('the first connection: open, CONNECT, promote', () => {
  const walk = connected({ lifeMs: 3_600_000 });
  expect(walk.log.map(({ atMs, effect }) => `${atMs} ${effect.type}`)).toEqual(['0 open', '300 connect', '400 promote']);
});

describe.each([
  ['5 s', 5000],
  ['20 s', 20_000],
  ['an hour', 3_600_000],
  ['365 days', 365 * DAY_MS],
])('tokens of %s', (_name, lifeMs) => {
  test('are renewed 30 times in a row, each between 65 and 80 % of the life before, and never end', () => {
    const walk = connected({ lifeMs, seed: 7 });
    walk.time.runUntil(() => walk.times('promote').length === 31, 31 * lifeMs);
    const connects = walk.times('connect');
    expect(connects.length).toBe(31);
    for (let i = 1; i < connects.length; i++) {
      const part = ((connects[i] ?? 0) - (connects[i - 1] ?? 0)) / lifeMs;
      expect(part).toBeGreaterThanOrEqual(0.65);
      expect(part).toBeLessThan(0.8 + 1 / lifeMs);
    }
    expect(walk.times('dropCurrent')).toEqual([]);
    expect(walk.longestTimerMs).toBeLessThanOrEqual(2 ** 31 - 1);
    // One wake-up opens, one connects; long lives take steps of 24 days.
    expect(walk.wakes).toBeLessThanOrEqual(30 * (2 + Math.ceil(lifeMs / 2 ** 31)));
  });

  test('open the next connection no earlier than its last opening took, by a quarter and 100 ms', () => {
    const walk = connected({ lifeMs });
    walk.time.runUntil(() => walk.times('promote').length === 4, 4 * lifeMs);
    const opens = walk.times('open').slice(1);
    walk.times('connect').slice(1).forEach((connectMs, i) => {
      expect(connectMs - (opens[i] ?? 0)).toBeGreaterThanOrEqual(474);
      expect(connectMs - (opens[i] ?? 0)).toBeLessThan(477);
    });
  });

  test('effects of a renewal come in the order open, pause, CONNECT, promote', () => {
    const walk = connected({ lifeMs });
    walk.time.runUntil(() => walk.times('promote').length === 3, 3 * lifeMs);
    expect(walk.names().slice(3)).toEqual(['open', 'pause', 'connect', 'promote', 'open', 'pause', 'connect', 'promote']);
  });
});

describe('a renewal that is refused', () => {
  test.each([
    { keyCount: 1, connects: 2 },
    { keyCount: 2, connects: 3 },
  ])('makes $connects CONNECTs with $keyCount key(s), then probes after 15 to 30 s, doubling to 15 min', ({ keyCount, connects }) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { walk } = refusing({ lifeMs: 20_000, keyCount, seed });
      walk.time.advance(6 * 3_600_000);
      const times = walk.times('connect').slice(1);
      const quick = times.filter((atMs) => atMs - (times[0] ?? 0) <= 15_000);
      expect(quick.length).toBe(connects);
      const probes = times.slice(connects - 1).map((atMs, i, all) => (all[i + 1] ?? Infinity) - atMs).slice(0, -1);
      probes.forEach((waitMs, i) => {
        // The opening of the next connection adds to the wait.
        const highestMs = Math.min(900_000, 30_000 * 2 ** i);
        expect(waitMs).toBeGreaterThanOrEqual(highestMs / 2);
        expect(waitMs).toBeLessThanOrEqual(highestMs + 500);
      });
      // On average 9 probes to the cap's first, then one every 11 minutes.
      expect(probes.length).toBeGreaterThan(25);
      for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(500);
    }
  });

  test('takes the keys in turn', () => {
    const keys: number[] = [];
    const walk = connected({ lifeMs: 20_000, keyCount: 2, fate: (_walk, keyIndex) => (keys.push(keyIndex), GOOD) });
    const { walk: other } = refusing({ lifeMs: 20_000, keyCount: 2 });
    other.time.advance(300_000);
    const used = other.log.flatMap(({ effect }) => (effect.type === 'connect' ? [effect.keyIndex] : []));
    expect(used.slice(0, 6)).toEqual([0, 0, 0, 1, 0, 1]);
    expect(walk.state.keyIndex).toBe(0);
  });

  test('keeps the key that was accepted', () => {
    const walk = new ConnectivityWalk({ lifeMs: 20_000, keyCount: 2, fate: (_walk, keyIndex) => (keyIndex === 1 ? GOOD : REFUSED) }).start();
    walk.time.advance(60_000);
    const used = walk.log.flatMap(({ effect }) => (effect.type === 'connect' ? [effect.keyIndex] : []));
    expect(used.slice(0, 5)).toEqual([0, 0, 1, 1, 1]);
  });

  test('uses the old connection until its token ends, then drops it, and goes on with the probes', () => {
    const { walk, hub } = refusing({ lifeMs: 20_000 });
    walk.time.runUntil(() => walk.times('resynchronise').length > 0, 20_000);
    expect(walk.names().slice(-3)).toEqual(['dropCandidate refused', 'resume', 'resynchronise']);
    walk.time.runUntil(() => !walk.state.hasCurrent, 30_000);
    // Signed 100 ms before it was accepted at 400.
    expect(walk.time.nowMs).toBe(20_300);
    walk.time.advance(3_600_000);
    hub.good = true;
    expect(walk.time.runUntil(() => walk.state.hasCurrent, 900_500)).toBe(true);
    expect(walk.state).toMatchObject({ refusals: 0, resynchronising: false });
  });

  test('waits for the check of the clock, however long that takes, before it tries again', () => {
    const { walk } = refusing({ lifeMs: 3_600_000, resyncMs: 18_000 });
    walk.time.runUntil(() => walk.times('connect').length === 3, 3_600_000);
    const [, first = 0, second = 0] = walk.times('connect');
    expect(second - first).toBeGreaterThan(18_000 + 500);
    expect(second - first).toBeLessThan(18_000 + 1500 + 600);
  });

  test.each([1, 2, 4, 5])('with return code %d is a refusal all the same', (returnCode) => {
    const walk = new ConnectivityWalk({ lifeMs: 20_000, fate: () => ({ ...GOOD, answer: returnCode }) }).start();
    walk.time.advance(15_000);
    expect(walk.times('connect').length).toBe(2);
  });

  test('with code 3, the server is unavailable, backs off as for a lost network', () => {
    const walk = new ConnectivityWalk({ lifeMs: 20_000, fate: () => ({ ...GOOD, answer: 3 }) }).start();
    walk.time.advance(60_000);
    expect(walk.times('resynchronise')).toEqual([]);
    expect(walk.times('connect').length).toBeGreaterThan(3);
  });
});

describe('CONNACK', () => {
  test.each([
    { lifeMs: 3_600_000, patienceMs: 2000, tolerance: 1 },
    // 20 to 35 % of 5 s are left, of which a third.
    { lifeMs: 5000, patienceMs: 458, tolerance: 130 },
  ])('that is late lets the old connection work meanwhile: after $patienceMs ms of a life of $lifeMs', ({ lifeMs, patienceMs, tolerance }) => {
    let first = true;
    const walk = connected({ lifeMs, fate: () => (first ? ((first = false), GOOD) : { ...GOOD, answersAfterMs: 2500 }) });
    walk.time.runUntil(() => walk.times('resume').length === 1, lifeMs);
    const waitedMs = walk.time.nowMs - (walk.times('connect')[1] ?? 0);
    expect(Math.abs(waitedMs - patienceMs)).toBeLessThanOrEqual(tolerance);
    expect(walk.state.candidate).toBe('overdue');
    walk.time.runUntil(() => walk.times('promote').length === 2, 20_000);
    expect(walk.times('promote').length).toBe(2);
  });

  test('that never comes ends the candidate after 20 s; the next one is opened after a back-off', () => {
    let good = true;
    const walk = connected({ lifeMs: 3_600_000, fate: () => (good ? GOOD : { ...GOOD, answer: 'never' }) });
    good = false;
    walk.time.runUntil(() => walk.times('open').length === 3, 3_600_000);
    const [, connectMs = 0] = walk.times('connect');
    expect(walk.times('dropCandidate')).toEqual([connectMs + 20_000]);
    const [, , openMs = 0] = walk.times('open');
    expect(openMs - connectMs - 20_000).toBeGreaterThanOrEqual(500);
    expect(openMs - connectMs - 20_000).toBeLessThanOrEqual(1000);
  });

  test('that comes after the new token has ended is followed by another connection', () => {
    const walk = new ConnectivityWalk({ lifeMs: 5000, fate: () => ({ ...GOOD, answersAfterMs: 6000 }) }).start();
    walk.time.advance(60_000);
    expect(walk.times('promote').length).toBeGreaterThan(3);
    expect(walk.times('dropCurrent').length).toBeGreaterThan(2);
  });
});

describe('opening that never ends', () => {
  test('is given up after 30 s', () => {
    const walk = new ConnectivityWalk({ lifeMs: 3_600_000, fate: () => ({ ...GOOD, opensAfterMs: 'never' }) }).start();
    walk.time.advance(30_000);
    expect(walk.names()).toEqual(['open', 'dropCandidate late']);
  });

  test('and longer than the life of the token renews as soon as it can', () => {
    const walk = connected({ lifeMs: 5000, fate: () => ({ ...GOOD, opensAfterMs: 6000 }) });
    walk.time.advance(120_000);
    expect(walk.times('promote').length).toBeGreaterThan(10);
  });
});

test('lives through a night without network: the attempts stay below the bounds, and it is back within two minutes', () => {
  let up = true;
  const walk = connected({ lifeMs: 3_600_000, fate: () => (up ? GOOD : { ...GOOD, opensAfterMs: 'never' }) });
  walk.time.advance(60_000);
  up = false;
  walk.say({ type: 'currentLost' });
  walk.time.advance(12 * 3_600_000);
  const opens = walk.times('open').length;
  // 30 s of trying and up to 120 s of waiting each.
  expect(opens).toBeGreaterThan(12 * 24);
  expect(opens).toBeLessThan(12 * 120);
  up = true;
  expect(walk.time.runUntil(() => walk.state.hasCurrent, 150_500)).toBe(true);
});

describe('where memory holds one session only', () => {
  test('each renewal closes first, then opens; the window drains before', () => {
    const walk = connected({ lifeMs: 20_000, roomForTwo: false });
    walk.idle = false;
    walk.time.runUntil(() => walk.times('promote').length === 3, 60_000);
    expect(walk.names().slice(3)).toEqual([
      'pause', 'dropCurrent renewal', 'open', 'connect', 'promote', 'pause', 'dropCurrent renewal', 'open', 'connect', 'promote',
    ]);
    const [pauseMs = 0] = walk.times('pause');
    expect((walk.times('dropCurrent')[0] ?? 0) - pauseMs).toBe(300);
    expect(pauseMs).toBeGreaterThanOrEqual(0.65 * 20_000);
  });
});

describe('the clock', () => {
  test('unknown: nothing is opened, whatever else happens', () => {
    const walk = new ConnectivityWalk({ lifeMs: 20_000 });
    walk.say({ type: 'started' });
    walk.time.advance(DAY_MS);
    walk.say({ type: 'tokenSupplied' });
    walk.time.advance(DAY_MS);
    expect(walk.log).toEqual([]);
    walk.say({ type: 'clockKnown' });
    expect(walk.names()).toEqual(['open']);
  });

  test('lost while connected: the connection stays until its token ends, and no longer', () => {
    const walk = connected({ lifeMs: 20_000 });
    walk.say({ type: 'clockUnknown' });
    walk.time.advance(DAY_MS);
    expect(walk.names().slice(3)).toEqual(['dropCurrent token-ended']);
    expect(walk.times('dropCurrent')).toEqual([20_300]);
    walk.say({ type: 'clockKnown' });
    expect(walk.names().at(-1)).toBe('open');
  });

  test('found to be an hour slow: the token of an hour is renewed at once or has ended', () => {
    const walk = connected({ lifeMs: 3_600_000 });
    walk.time.advance(60_000);
    walk.say({ type: 'clockMoved', offMs: 3_600_000 });
    expect(walk.names().slice(3)).toEqual(['dropCurrent token-ended']);
    walk.time.advance(2000);
    expect(walk.state.hasCurrent).toBe(true);
  });
});

describe('a ready-made token', () => {
  test('is asked for when the renewal is due, again when the old one has ended, and used when it comes', () => {
    const walk = connected({ lifeMs: 100_000 });
    walk.tokenReady = false;
    walk.time.advance(DAY_MS);
    expect(walk.names().slice(3)).toEqual(['askToken', 'dropCurrent token-ended', 'askToken']);
    walk.tokenReady = true;
    walk.say({ type: 'tokenSupplied' });
    walk.time.advance(1000);
    expect(walk.state.hasCurrent).toBe(true);
  });

  test('given in answer to every refusal makes at most 3 CONNECTs in 15 s', () => {
    const walk: ConnectivityWalk = new ConnectivityWalk({ lifeMs: 100_000, fate: () => REFUSED });
    walk.start();
    for (let i = 0; i < 6000; i++) {
      walk.time.advance(10);
      if (walk.state.refusals > 0) walk.say({ type: 'tokenSupplied' });
    }
    const times = walk.times('connect');
    for (const atMs of times) expect(times.filter((other) => other >= atMs && other <= atMs + 15_000).length).toBeLessThanOrEqual(3);
    expect(times.length).toBeGreaterThan(4);
  });
});

describe('stop', () => {
  test.each(['none', 'opening', 'ready', 'draining', 'connecting', 'overdue'])('in phase "%s" closes everything, and start begins anew', (phase) => {
    let good = true;
    const walk = connected({ lifeMs: 100_000, fate: () => (good ? GOOD : { ...GOOD, answer: 'never' }) });
    good = false;
    walk.idle = false;
    if (phase !== 'none') expect(walk.time.runUntil(() => walk.state.candidate === phase, 100_000)).toBe(true);
    const before = walk.log.length;
    walk.say({ type: 'stopped' });
    expect(walk.names().slice(before)).toEqual(phase === 'none' ? ['dropCurrent stopped'] : ['dropCandidate stopped', 'dropCurrent stopped']);
    walk.time.advance(DAY_MS);
    expect(walk.log.length).toBe(before + (phase === 'none' ? 1 : 2));
    good = true;
    walk.say({ type: 'started' });
    walk.time.advance(1000);
    expect(walk.state.hasCurrent).toBe(true);
  });
});
