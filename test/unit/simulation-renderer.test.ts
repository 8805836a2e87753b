import { expect, test } from '@jest/globals';
import type { SimulationEvent } from '../../host-sim/simulation/events.ts';
import { toJsonLine } from '../../host-sim/simulation/events.ts';
import { makeStyle } from '../../host-sim/terminal/cli-context.ts';
import { SimulationRenderer } from '../../host-sim/terminal/simulation-renderer.ts';

const PLAIN = makeStyle({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: { NO_COLOR: '1' }, interrupted: new AbortController().signal, exitCode: 0 });

function device(event: string, fields: Readonly<Record<string, unknown>>, sinceStartMs = 1234): SimulationEvent {
  return { source: 'device', device: 'sim-1', body: { event, ...fields }, sinceStartMs };
}

const render = (event: SimulationEvent): string | undefined => new SimulationRenderer(PLAIN, false).render(event)?.slice(20);

test.each<[SimulationEvent, string | undefined]>([
  [device('self-test', { check: 'tls', ok: true }), undefined],
  [device('self-test', { check: 'tls', ok: false, code: 'ERR_TLS', message: 'no' }), 'self-test tls failed: no (ERR_TLS)'],
  [device('clock', { level: 'network' }), 'clock network'],
  [device('connecting', { host: 'h', port: 8883 }), 'connecting to h:8883'],
  [device('connected', { tokenSeconds: 60 }), 'connected, token for 1m'],
  [device('renewed', { leftMs: 5321 }), 'token renewed, 5.3s left on the old one'],
  [device('refused', { returnCode: 5, online: true }), 'refused (CONNACK 5), the old connection stays in use'],
  [device('refused', { returnCode: 5, online: false }), 'refused (CONNACK 5)'],
  [device('credential-refused', {}), 'the clock is right: the hub refuses the key, the device, or its state'],
  [device('clock-wrong', { offMs: 3_600_000 }), 'the clock was wrong by 1h'],
  [device('open-failed', { code: 'ERR_TLS_HOSTNAME', retryMs: 800 }), "no connection: the hub's certificate is for another name (ERR_TLS_HOSTNAME), next try in 800ms"],
  [device('disconnected', { code: 'ERR_LINK_LOST' }), 'connection lost: ERR_LINK_LOST'],
  [device('disconnected', { code: 'STOPPED' }), 'disconnected'],
  [device('error', { code: 'ERR_CONFIG', message: 'settings: hub is missing' }), 'error: settings: hub is missing (ERR_CONFIG)'],
  [device('report', { slots: 1 }), undefined],
  [device('roots-committed', { version: 2, phase: 'trial', clockChecked: true }), 'took version 2 of the roots: on trial'],
  [device('roots-committed', { version: 2, phase: 'inner', clockChecked: true }), 'took version 2 of the roots, a link to the next one'],
  [device('roots-passed', { version: 2 }), 'version 2 of the roots reaches the hub: kept'],
  [device('roots-rolled-back', { version: 2 }), 'version 2 of the roots does not reach the hub: back to the roots before'],
  [device('roots-recovery', { host: 'h', version: 2, code: 'OK' }), 'found version 2 of the roots at h'],
  [device('roots-recovery', { host: 'h\u001b', version: 3, code: 'ERR_FETCH_NOT_FOUND' }), 'asked h? for version 3 of the roots: ERR_FETCH_NOT_FOUND'],
  [device('roots-refused', { version: 2, code: 'ERR_BUNDLE_REPLAY' }), 'refused a bundle of roots: ERR_BUNDLE_REPLAY'],
  [device('reported', { version: 4 }), 'reported properties are at the hub, version 4'],
  [device('twin-refused', { request: 'report', status: 400, names: ['a', 'b'] }), 'the hub refused the reported properties a, b (400)'],
  [device('twin-refused', { request: 'get', status: 400, names: [] }), 'the hub refused to give the twin (400)'],
  [device('twin-delayed', { request: 'get', status: 429, retryMs: 2500 }), 'the twin was asked for, the hub answered 429; again in 2.5s'],
  [device('twin-delayed', { request: 'report', retryMs: 1000 }), 'properties were reported, the hub did not answer; again in 1s'],
  [device('twin-unreadable', { code: 'ERR_JSON_DEPTH' }), 'what came of the twin cannot be read (ERR_JSON_DEPTH); it is asked for again'],
  [device('method-refused', { name: 'blink\u001b', status: 501 }), 'method blink? was answered 501: there is no such method'],
  [device('method-dropped', { name: 'blink', reason: 'unanswered' }), 'method blink stays without an answer: the application gave none in time'],
  [device('message', { topic: 't', byteCount: 1 }), 'a message from the cloud, 1 byte'],
  [device('message-failed', { topic: 't', tries: 1, dropped: false }), 'a message from the cloud waits for the next connection, its handler failed: t'],
  [device('message-failed', { topic: 't', tries: 3, dropped: true }), 'a message from the cloud is given up, its handler failed 3 times: t'],
  [device('message-failed', { topic: 't', tries: 1, dropped: true }), 'a message from the cloud is given up, too many others failed: t'],
  [device('oversize', { topic: 't', byteCount: 9000 }), '9000 bytes on t are more than this device takes: passed over'],
  [device('ignored', { topic: 't', count: 2 }), 'passed over 2 messages that nobody asked for, the last on t'],
  [device('handler-failed', { message: 'no room' }), 'a handler of the application failed: no room'],
  [device('subscription-refused', { topic: 't/#' }), 'the hub refused the subscription to t/#'],
  [device('sign-failed', { code: 'ERR_SIGNER_SCOPE' }), 'no token can be signed (ERR_SIGNER_SCOPE)'],
  [device('clock-trouble', { code: 'ERR_NTP_DISAGREES', detail: 5000 }), 'a check of the clock failed (ERR_NTP_DISAGREES, 5000)'],
  [device('something-new', { a: 1, b: { c: true } }), 'something-new a=1 b={"c":true}'],
  [device('hostile', { topic: 'x\u001b[2Jy\u009b' }), 'hostile topic=x?[2Jy?'],
  [{ source: 'link', body: { event: 'cut', connections: 1, number: 2, of: 30 }, sinceStartMs: 0 }, 'cut 2 of 30: 1 connection broken'],
  [{ source: 'board', device: 'sim-1', body: { event: 'ended', exitCode: 0, signal: null, talk: '' }, sinceStartMs: 0 }, undefined],
  [{ source: 'board', device: 'sim-1', body: { event: 'ended', exitCode: 11, signal: null, talk: 'no memory' }, sinceStartMs: 0 }, 'the board ended with exit code 11\nno memory'],
])('%j is shown as %j', (event, line) => {
  expect(render(event)).toBe(line);
});

test('moments are seconds for ten minutes, then hours, minutes and seconds', () => {
  const momentOf = (sinceStartMs: number): string | undefined => new SimulationRenderer(PLAIN, false).render(device('clock', { level: 'unset' }, sinceStartMs))?.slice(0, 8);
  expect([0, 599_940, 600_000, 3_723_000].map(momentOf)).toEqual(['    0.0s', '  599.9s', '00:10:00', '01:02:03']);
});

test('telemetry of many devices is one line a second, and the last word of each device is always shown', () => {
  const renderer = new SimulationRenderer(PLAIN, false);
  const lines: (string | undefined)[] = [];
  for (let atMs = 0; atMs < 3000; atMs += 100) {
    const body = { sent: atMs / 100 + 1, acked: atMs / 100 };
    for (const name of ['sim-1', 'sim-2']) lines.push(renderer.render({ source: 'device', device: name, body: { event: 'telemetry', ...body }, sinceStartMs: atMs }));
  }
  expect(lines.filter((line) => line !== undefined).map((line) => line?.slice(20))).toEqual(['0 messages acknowledged, 1 waiting', '2 devices: 19 messages acknowledged, 2 waiting', '2 devices: 39 messages acknowledged, 2 waiting']);
  expect(renderer.render(device('done', { sent: 30, acked: 30 }, 3000))).toContain('2 devices: 59 messages acknowledged, 1 waiting');
});

test('a message at the hub is counted and not told as JSON, and no line holds a payload', () => {
  const at = { at: 1_700_000_000_000.25, monotonicMs: 17.5 };
  const message: SimulationEvent = {
    source: 'hub',
    sinceStartMs: 17.5,
    body: { event: 'messageReceived', ...at, connection: 1, deviceId: 'd', qos: 1, dup: false, will: false, bytes: 3, properties: {}, systemProperties: {}, payload: Buffer.from('abc') },
  };
  expect(toJsonLine(message)).toBeUndefined();
  expect(toJsonLine({ source: 'hub', sinceStartMs: 17.5, body: { event: 'evicted', ...at, connection: 1, deviceId: 'd', code: 400027, by: 2 } })).toEqual({
    event: 'evicted', source: 'hub', sinceStartMs: 18, at: 1_700_000_000_000, connection: 1, deviceId: 'd', code: 400027, by: 2,
  });
});

test('of a fleet, what devices say alike is one line with their number, before what comes next', () => {
  const renderer = new SimulationRenderer(PLAIN, true, 100);
  const of = (index: number, event: string, fields: Readonly<Record<string, unknown>> = {}): SimulationEvent => ({ source: 'device', device: `sim-${index}`, body: { event, ...fields }, sinceStartMs: 1000 + index });
  for (let index = 1; index <= 20; index++) expect(renderer.render(of(index, 'connected', { tokenSeconds: 60 }))).toBeUndefined();
  expect(renderer.render(of(3, 'clock', { level: 'network' }))).toBeUndefined();
  expect(renderer.render(of(7, 'roots-passed', { version: 2 }))).toBeUndefined();
  const step: SimulationEvent = { source: 'scenario', body: { event: 'step', name: 'root-migration', text: 'the hub moves' }, sinceStartMs: 2000 };
  expect(renderer.render(step)?.split('\n')).toEqual([
    '    1.0s  fleet     20 devices: connected',
    '    1.0s  sim-7     version 2 of the roots reaches the hub: kept',
    '    2.0s  scenario  root-migration: the hub moves',
  ]);
  expect(renderer.render(of(1, 'renewed', { leftMs: 1 }))).toBeUndefined();
  expect(renderer.finish()).toBe('    1.0s  sim-1     token renewed');
  expect(renderer.finish()).toBeUndefined();
});
