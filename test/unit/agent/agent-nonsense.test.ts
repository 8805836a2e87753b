import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { MethodRequest } from '../../../firmware/agent/methods/method-request.ts';
import { AgentBench } from '../../fakes/agent-bench.ts';
import { ScriptedTwin } from '../../fakes/scripted-twin.ts';

/** What a cloud that has lost its mind may send: every topic nearly right, every payload nearly JSON. */

const token = fc.oneof(
  fc.constantFrom('', '0', '1', '5', '200', '204', '429', '999', '-1', 'x', '1e3', '007', '9007199254740993', '%', '%41', '%ff', 'a*b', '__proto__', 'constructor', '$rid', 'ü', '😀'),
  fc.string({ maxLength: 12 }),
);
const query = fc.oneof(
  token.map((value) => `?$rid=${value}`),
  fc.tuple(token, token).map(([id, version]) => `?$rid=${id}&$version=${version}`),
  token.map((version) => `?$version=${version}`),
  token,
);
const topic = fc
  .oneof(
    { weight: 4, arbitrary: fc.tuple(fc.oneof(fc.constantFrom('echo', 'throws', 'never', 'late'), token), query).map(([name, rest]) => `$iothub/methods/POST/${name}/${rest}`) },
    { weight: 4, arbitrary: fc.tuple(token, query).map(([status, rest]) => `$iothub/twin/res/${status}/${rest}`) },
    { weight: 4, arbitrary: query.map((rest) => `$iothub/twin/PATCH/properties/desired/${rest}`) },
    { weight: 2, arbitrary: fc.array(fc.tuple(token, token), { maxLength: 5 }).map((pairs) => `devices/dev1/messages/devicebound/${pairs.map(([k, v]) => `${k}=${v}`).join('&')}`) },
    { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 60 }) },
  )
  .map((name) => name.replace(/[+#\0]/g, '_') || '_');
const text = fc.oneof(
  { weight: 3, arbitrary: fc.json({ maxDepth: 4 }) },
  { weight: 2, arbitrary: fc.record({ $version: fc.nat(9), target: fc.jsonValue() }).map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.record({ desired: fc.record({ $version: fc.nat(9), target: fc.jsonValue() }), reported: fc.record({ $version: fc.nat(9) }) }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.nat(20_000).map((length) => `{"target":"${'x'.repeat(length)}"}`) },
);
const payload = fc.oneof(
  { weight: 4, arbitrary: text.map((json) => Buffer.from(json)) },
  { weight: 2, arbitrary: fc.tuple(text, fc.nat(40)).map(([json, cut]) => Buffer.from(json).subarray(0, cut)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
);

type Command =
  | { readonly type: 'publish'; readonly topic: string; readonly payload: Buffer; readonly qos: 0 | 1; readonly messageId: number }
  | { readonly type: 'patch' | 'report' | 'cut' }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'answer'; readonly status: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant('publish' as const), topic, payload, qos: fc.constantFrom(0 as const, 1 as const), messageId: fc.integer({ min: 1, max: 65_535 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('patch' as const, 'report' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('cut' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 1000, 31_000, 301_000) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('answer' as const), status: fc.constantFrom(200, 204, 429, 500, 404) }) },
);

test('a cloud that talks nonsense ends neither the connection nor the telemetry, and the twin is right afterwards', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 60, size: 'max' }), (commands) => {
      const held: MethodRequest[] = [];
      let target: unknown = 'nothing yet';
      const bench = new AgentBench({
        config: { tokenLifeSeconds: 600, pubackTimeoutMs: 60_000 },
        onMessage: ({ payload: { length }, acknowledge }) => {
          if (length % 3 !== 0) acknowledge();
          if (length % 5 === 0) throw new Error('a handler');
        },
        application: {
          desired: ['target'],
          onDesired: ({ properties, isPatch }) => {
            if (properties.has('target') || !isPatch) target = properties.get('target') ?? null;
          },
          methods: {
            echo: (request) => void request.respond(200, request.payload ?? null),
            throws: () => {
              throw new Error('another');
            },
            late: (request) => void held.push(request),
            never: () => {},
          },
        },
      });
      const twin = new ScriptedTwin(bench.hub, (delayMs, run) => void bench.time.after(delayMs, run));
      bench.connect();
      let cuts = 0;
      let number = 0;
      for (const one of commands) {
        bench.send();
        if (one.type === 'publish') {
          const { topic: name, payload: bytes, qos, messageId } = one;
          bench.hub.current?.send({ cmd: 'publish', topic: name, payload: bytes, qos, dup: false, retain: false, ...(qos === 1 && { messageId }) });
        } else if (one.type === 'patch') twin.patch({ target: ++number });
        else if (one.type === 'report') bench.agent.report({ [`p${++number % 3}`]: number });
        else if (one.type === 'cut') {
          cuts += Number(bench.agent.isConnected);
          bench.network.cut();
        } else if (one.type === 'answer') {
          twin.verdict = () => one.status;
          for (const request of held.splice(0)) request.respond(one.status, { late: true });
        } else if (one.type === 'wait') bench.time.advance(one.ms);
        bench.time.advance(5);
      }
      // The cloud comes to its senses.
      twin.verdict = () => 200;
      twin.patch({ target: 'last' });
      bench.agent.report({ last: true });
      bench.time.advance(400_000);
      bench.time.runUntil(() => bench.agent.isReported && bench.agent.pending === 0, 1_200_000);
      if (target !== 'last') {
        // A twin that was refused for good is read on the next connection.
        bench.network.cut();
        cuts += 1;
        bench.time.advance(300_000);
      }
      expect([bench.agent.isReported, bench.agent.pending, bench.account().lost]).toEqual([true, 0, []]);
      expect(target).toBe('last');
      expect(twin.reports.at(-1)).toMatchObject({ last: true });
      const reasons = bench.eventsOf('disconnected').map(({ code }) => code);
      expect(reasons.filter((code) => code !== 'ERR_LINK_LOST' && code !== 'ERR_UNHANDLED')).toEqual([]);
      expect(reasons.filter((code) => code === 'ERR_LINK_LOST').length).toBeLessThanOrEqual(cuts);
      // Nothing spins: what is left are a few timers.
      const before = bench.port.scheduled.length;
      bench.time.advance(60_000);
      expect(bench.port.scheduled.length - before).toBeLessThan(20);
    }),
    { numRuns: 60, seed: 20261122 },
  );
});
