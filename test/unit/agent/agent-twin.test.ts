import { describe, expect, test } from '@jest/globals';

import type { DesiredChange } from '../../../firmware/agent/agent-part.ts';
import type { ApplicationCallbacks } from '../../../firmware/agent/application.ts';
import { AgentBench, type BenchOptions } from '../../fakes/agent-bench.ts';
import { publish, ScriptedTwin } from '../../fakes/scripted-twin.ts';

interface TwinBench {
  readonly bench: AgentBench;
  readonly twin: ScriptedTwin;
  /** What the application heard: `version whole|patch properties`. */
  readonly heard: string[];
  readonly changes: DesiredChange[];
}

function textOf({ version, isPatch, properties }: DesiredChange): string {
  return `${version} ${isPatch ? 'patch' : 'whole'} ${JSON.stringify(Object.fromEntries(properties))}`;
}

function open(application: ApplicationCallbacks = {}, options: BenchOptions = {}): TwinBench {
  const changes: DesiredChange[] = [];
  const heard: string[] = [];
  const onDesired = (change: DesiredChange): void => {
    changes.push(change);
    heard.push(textOf(change));
  };
  const bench = new AgentBench({ ...options, application: { desired: ['target', 'mode'], onDesired, ...application } });
  const twin = new ScriptedTwin(bench.hub, (delayMs, run) => void bench.time.after(delayMs, run));
  return { bench, twin, heard, changes };
}

const subscriptionsOf = (bench: AgentBench): string[] => {
  const topics: string[] = [];
  const { onSubscribe } = bench.hub;
  bench.hub.onSubscribe = (session, packet) => {
    topics.push(...packet.subscriptions.map(({ topic, qos }) => `${topic} ${qos}`));
    onSubscribe(session, packet);
  };
  return topics;
};

describe('desired properties', () => {
  test('are subscribed to before the twin is read, and only when somebody wants them', () => {
    const { bench, twin } = open();
    const topics = subscriptionsOf(bench);
    bench.connect();
    bench.time.advance(1000);
    expect(topics).toEqual(['$iothub/twin/res/# 0', '$iothub/twin/PATCH/properties/desired/# 0']);
    expect(bench.hub.lines('subscribe', 'service').map((line) => line.split('?')[0])).toEqual(['1 subscribe', '1 service $iothub/twin/GET/']);
    expect(twin.gets).toBe(1);
    const deaf = new AgentBench();
    const none = subscriptionsOf(deaf);
    deaf.connect();
    deaf.time.advance(1000);
    expect([none, deaf.hub.lines('service')]).toEqual([[], []]);
  });

  test('come whole first, without those that are not registered; then as patches', () => {
    const { bench, twin, heard } = open();
    Object.assign(twin.desired, { target: 21, color: 'red', mode: { eco: true } });
    bench.connect();
    bench.time.advance(100);
    twin.patch({ target: 22 });
    twin.patch({ color: 'blue' });
    twin.patch({ mode: null });
    bench.time.advance(100);
    expect(heard).toEqual(['1 whole {"target":21,"mode":{"eco":true}}', '2 patch {"target":22}', '4 patch {"mode":null}']);
    expect(twin.gets).toBe(1);
  });

  test('of a patch that follows no known version are not taken: the twin is read instead', () => {
    const { bench, twin, heard } = open();
    bench.connect();
    bench.time.advance(100);
    twin.patch({ target: 1 }, true);
    twin.patch({ mode: 2 });
    bench.time.advance(100);
    expect(heard).toEqual(['1 whole {}', '3 whole {"target":1,"mode":2}']);
    expect(twin.gets).toBe(2);
  });

  test('of an old patch are passed over, and it is not worth a reading', () => {
    const { bench, twin, heard } = open();
    twin.version = 7;
    bench.connect();
    bench.time.advance(100);
    for (const version of [1, 6, 7]) twin.announce({ target: version }, version);
    bench.time.advance(100);
    expect([heard, twin.gets]).toEqual([['7 whole {}'], 1]);
  });

  test('of patches that come while the twin is being read are in the reading, or in a second one', () => {
    const { bench, twin, heard } = open();
    twin.delayMs = 500;
    bench.connect();
    bench.time.advance(100);
    // In what is read: the answer to GET is older than this patch.
    twin.patch({ target: 5 });
    bench.time.advance(2000);
    expect(heard).toEqual(['1 whole {}', '2 whole {"target":5}']);
    expect(twin.gets).toBe(2);
  });

  test('are read again after a renewal, and the application hears of it only when they differ', () => {
    const { bench, twin, heard } = open({}, { config: { tokenLifeSeconds: 5 } });
    bench.connect();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 10_000);
    bench.time.advance(100);
    expect([twin.gets, heard.length]).toEqual([2, 1]);
    twin.patch({ target: 9 }, true);
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 2, 10_000);
    bench.time.advance(100);
    expect(heard).toEqual(['1 whole {}', '2 whole {"target":9}']);
  });

  test('of a twin that was made anew begin at version 1 again', () => {
    const { bench, twin, heard } = open();
    twin.version = 40;
    bench.connect();
    bench.time.advance(100);
    twin.version = 1;
    bench.network.cut();
    bench.time.runUntil(() => twin.gets === 2, 10_000);
    bench.time.advance(100);
    twin.patch({ target: 3 });
    bench.time.advance(100);
    expect(heard).toEqual(['40 whole {}', '1 whole {}', '2 patch {"target":3}']);
  });

  test('whose value is too large are named with the reason, the others are given', () => {
    const { bench, twin, changes } = open();
    Object.assign(twin.desired, { target: 'x'.repeat(5000), mode: 1 });
    bench.connect();
    bench.time.advance(100);
    expect([...(changes[0]?.refused ?? [])]).toEqual([['target', 'ERR_JSON_SIZE']]);
    expect([...(changes[0]?.properties ?? [])]).toEqual([['mode', 1]]);
  });

  test.each([40_000, 64 * 1024, 200_000])('in a twin of %d bytes are found as it streams by, in a patch of that size too', (byteCount) => {
    const { bench, twin, heard } = open();
    Object.assign(twin.desired, { ballast: 'x'.repeat(byteCount), target: 4 });
    bench.connect();
    bench.time.advance(100);
    twin.patch({ more: 'y'.repeat(byteCount), mode: 5 });
    bench.time.advance(100);
    expect(heard).toEqual(['1 whole {"target":4}', '2 patch {"mode":5}']);
    expect(bench.eventsOf('oversize')).toEqual([]);
    expect(bench.agent.isConnected).toBe(true);
  });

  test('give back what was reported before, when that is asked for', () => {
    const { bench, twin, changes } = open({ reported: ['maxTemp'] });
    twin.reports.push({ maxTemp: 30, other: 1 });
    bench.connect();
    bench.time.advance(100);
    expect([...(changes[0]?.reported ?? [])]).toEqual([['maxTemp', 30]]);
  });

  test('reach each part that registered them, and no other', () => {
    const seen: string[] = [];
    const part = { desired: ['roots'], onDesired: (change: DesiredChange) => void seen.push(textOf(change)) };
    const { bench, twin, heard } = open({ parts: [part] });
    Object.assign(twin.desired, { target: 1, roots: { version: 2 } });
    bench.connect();
    bench.time.advance(100);
    twin.patch({ roots: { version: 3 } });
    twin.patch({ target: 2 });
    bench.time.advance(100);
    expect(seen).toEqual(['1 whole {"roots":{"version":2}}', '2 patch {"roots":{"version":3}}']);
    expect(heard).toEqual(['1 whole {"target":1}', '3 patch {"target":2}']);
  });

  test('that a part takes as they stream by and that are too large are named to it, as its others are', () => {
    const seen: string[] = [];
    const part = {
      streamed: ['part0'],
      onStreamed: (name: string) => void seen.push(name),
      onDesired: ({ version, refused }: DesiredChange) => void seen.push(`${version} ${JSON.stringify([...refused])}`),
    };
    const { bench, twin, heard } = open({ parts: [part] });
    Object.assign(twin.desired, { target: 1, part0: 'x'.repeat(5000) });
    bench.connect();
    bench.time.advance(100);
    twin.patch({ part0: 'x'.repeat(4000) });
    twin.patch({ part0: 'y'.repeat(5000) });
    bench.time.advance(100);
    expect(seen).toEqual(['1 [["part0","ERR_JSON_SIZE"]]', 'part0', '3 [["part0","ERR_JSON_SIZE"]]']);
    expect(heard).toEqual(['1 whole {"target":1}']);
  });

  test('go on when the application throws', () => {
    const { bench, twin } = open({
      onDesired: () => {
        throw new Error('no such mode');
      },
    });
    bench.connect();
    bench.time.advance(100);
    twin.patch({ target: 1 });
    bench.time.advance(100);
    expect(bench.eventsOf('handler-failed').length).toBe(2);
    expect(bench.agent.isConnected).toBe(true);
  });
});

describe('a reading of the twin', () => {
  test('that is throttled is repeated later and later, and nothing else suffers', () => {
    const { bench, twin, heard } = open();
    twin.verdict = (_request, count) => (count < 4 ? 429 : 200);
    bench.connect();
    const stop = bench.sendEvery(100);
    bench.time.runUntil(() => heard.length === 1, 120_000);
    stop();
    bench.drain();
    expect(bench.eventsOf('twin-delayed').map(({ request, status }) => [request, status])).toEqual(new Array(3).fill(['get', 429]));
    expect(bench.eventsOf('twin-delayed').every(({ retryMs }) => retryMs >= 1000 && retryMs <= 8000)).toBe(true);
    expect(bench.account().lost).toEqual([]);
  });

  test('that is not answered is repeated after 30 s; the late answer to the first is nobody\'s', () => {
    const { bench, twin, heard } = open();
    twin.verdict = (_request, count) => (count === 1 ? undefined : 200);
    bench.connect();
    const first = bench.hub.log.find(({ what }) => what === 'service')?.detail.split('=')[1];
    bench.time.runUntil(() => twin.gets === 2, 60_000);
    expect(bench.eventsOf('twin-delayed').map(({ request, status }) => [request, status])).toEqual([['get', undefined]]);
    publish(bench.hub.current, `$iothub/twin/res/200/?$rid=${first}`, '{"desired":{"target":99,"$version":99},"reported":{"$version":1}}');
    bench.time.advance(1000);
    expect(heard).toEqual(['1 whole {}']);
  });

  test('that is refused for good is not repeated before the next connection', () => {
    const { bench, twin } = open();
    twin.verdict = () => 404;
    bench.connect();
    bench.time.advance(600_000);
    expect(twin.gets).toBe(1);
    expect(bench.eventsOf('twin-refused')).toEqual([{ type: 'twin-refused', request: 'get', status: 404, names: [] }]);
    bench.network.cut();
    bench.time.runUntil(() => twin.gets === 2, 30_000);
    expect(twin.gets).toBe(2);
  });

  test.each([
    ['no JSON', '{nonsense}', 'ERR_JSON_SYNTAX'],
    ['half a twin', '{"desired":{"$version":1', 'ERR_JSON_TRUNCATED'],
    ['an array', '[]', 'ERR_TWIN_FORM'],
    ['nothing', '', 'ERR_JSON_TRUNCATED'],
    ['no version', '{"desired":{},"reported":{"$version":1}}', 'ERR_TWIN_VERSION'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'ERR_JSON_UTF8'],
  ])('that gives %s is said, and repeated', (_what, payload, code) => {
    const { bench, twin, heard } = open();
    twin.verdict = () => undefined;
    bench.connect();
    bench.time.advance(100);
    const requestId = bench.hub.log.find(({ what }) => what === 'service')?.detail.split('=')[1];
    twin.verdict = () => 200;
    publish(bench.hub.current, `$iothub/twin/res/200/?$rid=${requestId}`, payload);
    bench.time.advance(10_000);
    expect(bench.eventsOf('twin-unreadable')).toEqual([{ type: 'twin-unreadable', code }]);
    expect(heard).toEqual(['1 whole {}']);
  });

  test('is not asked for without end by a hub that announces what it never gives', () => {
    const { bench, twin, heard } = open();
    bench.connect();
    bench.time.advance(100);
    twin.announce({}, 1_000_000);
    bench.time.advance(600_000);
    expect(twin.gets).toBe(5);
    twin.patch({ target: 1 });
    bench.time.advance(100);
    expect(heard.at(-1)).toBe('2 patch {"target":1}');
    expect(bench.agent.isConnected).toBe(true);
  });
});

describe('a report', () => {
  test('is subscribed to with the first one, sent, and confirmed with the version', () => {
    const { bench, twin } = open({ desired: [], onDesired: undefined });
    const topics = subscriptionsOf(bench);
    bench.connect();
    bench.time.advance(100);
    expect(topics).toEqual([]);
    expect(bench.agent.report({ temp: 1 })).toBe(true);
    expect(bench.agent.isReported).toBe(false);
    bench.time.advance(100);
    expect(topics).toEqual(['$iothub/twin/res/# 0']);
    expect(twin.reports).toEqual([{ temp: 1 }]);
    expect(bench.eventsOf('reported')).toEqual([{ type: 'reported', version: 2 }]);
    expect(bench.agent.isReported).toBe(true);
  });

  test('made while another is on its way or the device is offline leaves merged with those that wait', () => {
    const { bench, twin } = open();
    bench.agent.report({ a: 1, b: { x: 1 } });
    bench.agent.report({ a: 2, b: { y: 2 } });
    twin.delayMs = 200;
    bench.connect();
    bench.time.runUntil(() => twin.reports.length === 1, 1000);
    bench.agent.report({ c: 1 });
    bench.agent.report({ c: null });
    bench.time.advance(1000);
    expect(twin.reports).toEqual([{ a: 2, b: { x: 1, y: 2 } }, { c: null }]);
  });

  test('survives the connection it was sent on, before what was reported since', () => {
    const { bench, twin } = open();
    twin.verdict = (request) => (request === 'report' ? undefined : 200);
    bench.connect();
    bench.agent.report({ a: 1 });
    bench.time.advance(1000);
    bench.agent.report({ b: 2 });
    twin.verdict = () => 200;
    bench.network.cut();
    bench.time.runUntil(() => bench.agent.isReported, 30_000);
    expect(twin.reports).toEqual([{ a: 1, b: 2 }]);
  });

  test('that cannot be merged follows by itself; above four there is no room', () => {
    const { bench, twin } = open();
    const patches = [{ a: 1 }, { a: { x: 1 } }, { a: 2 }, { a: { y: 1 } }];
    // A plain value over members is one patch; members over a plain value are not.
    expect([...patches, { a: 3 }, { a: { z: 1 } }, { a: 4 }, { a: { v: 1 } }, { a: 5 }, { a: { w: 1 } }].map((patch) => bench.agent.report(patch))).toEqual([...new Array<boolean>(7).fill(true), false, true, false]);
    bench.connect();
    bench.time.advance(1000);
    expect(twin.reports.length).toBe(4);
    expect(bench.agent.report({ a: { w: 1 } })).toBe(true);
    bench.time.advance(1000);
    expect(twin.reports.at(-1)).toEqual({ a: { w: 1 } });
  });

  test('that is throttled or not answered is repeated, with what was reported meanwhile', () => {
    const { bench, twin } = open();
    let count = 0;
    twin.verdict = (request) => (request === 'get' ? 200 : [429, undefined, 503, 200][count++]);
    bench.connect();
    bench.agent.report({ a: 1 });
    bench.time.advance(500);
    bench.agent.report({ b: 2 });
    bench.time.runUntil(() => bench.agent.isReported, 300_000);
    expect(bench.eventsOf('twin-delayed').map(({ status }) => status)).toEqual([429, undefined, 503]);
    expect(twin.reports).toEqual([{ a: 1, b: 2 }]);
  });

  test.each([400, 401, 403, 404, 412, 413])('that is refused with %d is said with its names, and not repeated; the next one leaves', (status) => {
    const { bench, twin } = open();
    twin.verdict = (request) => (request === 'report' ? status : 200);
    bench.connect();
    bench.agent.report({ bad: 1, worse: 2 });
    bench.time.advance(1000);
    twin.verdict = () => 200;
    bench.agent.report({ good: 1 });
    bench.time.advance(600_000);
    expect(bench.eventsOf('twin-refused')).toEqual([{ type: 'twin-refused', request: 'report', status, names: ['bad', 'worse'] }]);
    expect(twin.reports).toEqual([{ good: 1 }]);
  });

  test('that no twin can hold is refused at once with the place', () => {
    const { bench } = open();
    expect(() => bench.agent.report({ a: { 'b.c': 1 } })).toThrow(expect.objectContaining({ code: 'ERR_REPORTED' }));
    expect(bench.agent.isReported).toBe(true);
  });

  test('does not delay a renewal that it is under way at by more than a round trip and 200 ms', () => {
    const { bench, twin } = open({}, { config: { tokenLifeSeconds: 5 } });
    twin.verdict = (request) => (request === 'report' ? undefined : 200);
    bench.connect();
    bench.agent.report({ a: 1 });
    expect(bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 4700)).toBe(true);
  });
});
