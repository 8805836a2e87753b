import { describe, expect, test } from '@jest/globals';

import type { ApplicationCallbacks } from '../../../firmware/agent/application.ts';
import type { MethodRequest } from '../../../firmware/agent/methods/method-request.ts';
import { AgentBench, type BenchOptions } from '../../fakes/agent-bench.ts';
import { publish } from '../../fakes/scripted-twin.ts';

interface MethodBench {
  readonly bench: AgentBench;
  /** What came to the handler, and what the device answered: `id status payload`. */
  readonly requests: MethodRequest[];
  readonly answers: string[];
  call(name: string, requestId: string, payload?: string | Buffer): void;
}

function open(application: ApplicationCallbacks = {}, options: BenchOptions = {}): MethodBench {
  const requests: MethodRequest[] = [];
  const answers: string[] = [];
  const bench = new AgentBench({ ...options, application: { methods: { echo: (request) => void requests.push(request) }, ...application } });
  bench.hub.onService = (_session, { topic, payload, qos, dup }) => {
    const [, status, requestId] = /^\$iothub\/methods\/res\/(\d+)\/\?\$rid=(.*)$/.exec(topic) ?? [];
    if (status !== undefined) answers.push(`${requestId} ${status} ${payload.toString()}${qos === 1 ? '' : ' QoS 0'}${dup ? ' again' : ''}`);
  };
  const call = (name: string, requestId: string, payload: string | Buffer = ''): void => publish(bench.hub.current, `$iothub/methods/POST/${name}/?$rid=${requestId}`, payload);
  return { bench, requests, answers, call };
}

const firstId = ([first = '']: readonly string[]): number => Number(first.split(' ')[2]);

describe('a direct method', () => {
  test('is subscribed to only when there is a handler', () => {
    const topics: unknown[] = [];
    const { bench } = open();
    bench.hub.onSubscribe = (_session, packet) => topics.push(...packet.subscriptions);
    bench.connect();
    bench.time.advance(100);
    expect(topics).toEqual([{ topic: '$iothub/methods/POST/#', qos: 0 }]);
    const deaf = open({ methods: {} });
    deaf.bench.connect();
    deaf.bench.time.advance(100);
    expect(deaf.bench.hub.lines('subscribe')).toEqual([]);
  });

  test.each([
    ['nothing', '', undefined],
    ['null', 'null', null],
    ['a number', '1.5', 1.5],
    ['an object', '{"on":true,"list":[1,"ü"]}', { on: true, list: [1, 'ü'] }],
  ])('with %s comes to its handler and is answered', (_what, payload, expected) => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '1', payload);
    bench.time.advance(100);
    expect(requests.map((request) => [request.name, request.payload])).toEqual([['echo', expected]]);
    expect(answers).toEqual([]);
    expect(requests[0]?.respond(200, { got: expected ?? 'nothing' })).toBe(true);
    bench.time.advance(100);
    expect(answers).toEqual([`1 200 ${JSON.stringify({ got: expected ?? 'nothing' })}`]);
  });

  test('may be answered without payload, seconds later, and once only', () => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', 'a-1');
    bench.time.advance(20_000);
    expect([requests[0]?.respond(204), requests[0]?.respond(200, 'late')]).toEqual([true, false]);
    bench.time.advance(100);
    expect(answers).toEqual(['a-1 204 ']);
  });

  test('has its name decoded once', () => {
    const names: string[] = [];
    const { bench, call } = open({
      onMethod: (request) => {
        names.push(request.name);
        request.respond(200);
      },
    });
    bench.connect();
    for (const [index, name] of ['thermostat1*getMaxMinReport', 'thermostat1%2AgetMaxMinReport', 'a%2Fb', '100%25', '100%', '%C3%BC', '%ff', 'constructor', '__proto__'].entries()) call(name, String(index));
    bench.time.advance(100);
    expect(names).toEqual(['thermostat1*getMaxMinReport', 'thermostat1*getMaxMinReport', 'a/b', '100%', '100%', 'ü', '%ff', 'constructor', '__proto__']);
  });

  test.each(['unknown', 'toString', 'constructor', '__proto__', 'hasOwnProperty'])('called %s that no handler has is answered with 501', (name) => {
    const { bench, answers, call } = open();
    bench.connect();
    call(name, '1');
    bench.time.advance(100);
    expect(answers).toEqual(['1 501 {"message":"this device has no such method"}']);
    expect(bench.eventsOf('method-refused')).toEqual([{ type: 'method-refused', name, status: 501 }]);
  });

  test.each([
    ['text', 'on', 'ERR_JSON_SYNTAX'],
    ['half an object', '{"on":', 'ERR_JSON_TRUNCATED'],
    ['bytes', Buffer.from([0x22, 0xff, 0x22]), 'ERR_JSON_UTF8'],
    ['30 levels', `${'['.repeat(30)}${']'.repeat(30)}`, 'ERR_JSON_DEPTH'],
    ['500 members', `[${'0,'.repeat(499)}0]`, 'ERR_JSON_MEMBERS'],
    ['a prototype', '{"__proto__":{"admin":true}}', 'ERR_JSON_NAME'],
  ])('with %s for JSON is answered with 400 and the reason; the handler is not called', (_what, payload, code) => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '1', payload);
    bench.time.advance(100);
    expect([requests.length, answers]).toEqual([0, [`1 400 {"message":"${code}"}`]]);
  });

  test('that teaches names for ever is answered with 400 once they are too many, and known names go on working', () => {
    const { bench, answers, call } = open({ methods: { echo: (request) => void request.respond(200) } });
    bench.connect();
    for (let i = 0; i < 1000; i++) {
      call('echo', `n${i}`, `{"name${i}":1}`);
      bench.time.advance(100);
    }
    call('echo', 'known', '{"name0":1}');
    bench.time.advance(100);
    expect(answers.filter((answer) => answer.endsWith('{"message":"ERR_JSON_NAMES"}')).length).toBeGreaterThan(800);
    expect(answers.at(-1)).toBe('known 200 ');
  });

  test.each([8193, 128 * 1024])('with %d bytes is answered with 413 as it passes by', (byteCount) => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '77', `"${'x'.repeat(byteCount - 2)}"`);
    call('echo', '78', '1');
    bench.time.advance(1000);
    expect(answers).toEqual([`77 413 {"message":"${byteCount} bytes are more than this device takes"}`]);
    expect(requests.map(({ payload }) => payload)).toEqual([1]);
  });

  test('whose handler throws is answered with 500; what it threw stays on the device', () => {
    const { bench, answers, call } = open({
      methods: {
        echo: () => {
          throw new Error('the secret path');
        },
      },
    });
    bench.connect();
    call('echo', '1');
    bench.time.advance(100);
    expect(answers).toEqual(['1 500 {"message":"the method failed on the device"}']);
    expect(bench.eventsOf('handler-failed')).toEqual([{ type: 'handler-failed', message: 'the secret path' }]);
  });

  test('whose handler throws after its answer keeps that answer', () => {
    const { bench, answers, call } = open({
      methods: {
        echo: (request) => {
          request.respond(202, 'begun');
          throw new Error('then it broke');
        },
      },
    });
    bench.connect();
    call('echo', '1');
    bench.time.advance(100);
    expect(answers).toEqual(['1 202 "begun"']);
  });

  test.each([
    ['above 128 KB', 200, 'x'.repeat(128 * 1024 - 1), 'ERR_MESSAGE_SIZE'],
    ['above 128 KB in UTF-8', 200, 'ü'.repeat(65_536), 'ERR_MESSAGE_SIZE'],
    ['that is no JSON', 200, () => 1, undefined],
    ['with a status that is no whole number', 1.5, 1, undefined],
    ['with a negative status', -1, 1, undefined],
  ])('with an answer %s is refused to the application and can still be answered', (_what, status, payload, code) => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '1');
    bench.time.advance(100);
    let thrown: unknown;
    try {
      requests[0]?.respond(status, payload);
    } catch (error) {
      thrown = error;
    }
    expect((thrown as { code?: string }).code).toBe(code);
    expect(thrown).toBeInstanceOf(Error);
    requests[0]?.respond(200, 'x'.repeat(128 * 1024 - 2));
    bench.time.advance(1000);
    expect(answers.map((answer) => answer.length)).toEqual(['1 200 '.length + 128 * 1024]);
  });

  test('that comes twice under one id is handled once', () => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '5');
    call('echo', '5');
    bench.time.advance(100);
    requests[0]?.respond(200);
    bench.time.advance(100);
    expect([requests.length, answers]).toEqual([1, ['5 200 ']]);
  });

  test('with QoS 1 is acknowledged, too', () => {
    const { bench } = open();
    bench.connect();
    bench.hub.current?.send({ cmd: 'publish', topic: '$iothub/methods/POST/echo/?$rid=1', payload: '', qos: 1, messageId: 3, dup: false, retain: false });
    bench.time.advance(100);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 3']);
  });

  test.each(['$iothub/methods/POST/', '$iothub/methods/POST/echo', '$iothub/methods/POST/echo/', '$iothub/methods/POST//?$rid=1', '$iothub/methods/POST/echo/?$rid=', '$iothub/methods/POST/echo/?rid=1', '$iothub/elsewhere', 'devices/other/messages/devicebound/'])(
    'on the topic %s is none, and is ignored',
    (topic) => {
      const { bench, requests, answers } = open();
      bench.connect();
      publish(bench.hub.current, topic, '{}');
      bench.time.advance(100);
      expect([requests.length, answers.length, bench.eventsOf('ignored')]).toEqual([0, 0, [{ type: 'ignored', topic, count: 1 }]]);
    },
  );
});

test('a flood of messages that nobody asked for is told of in the first, second, fourth, eighth, …', () => {
  const { bench } = open();
  bench.connect();
  for (let i = 0; i < 100; i++) publish(bench.hub.current, `elsewhere/${i}`, '');
  bench.time.advance(100);
  expect(bench.eventsOf('ignored').map(({ count }) => count)).toEqual([1, 2, 4, 8, 16, 32, 64]);
});

describe('many methods at once', () => {
  test('are handled eight at a time; those above are answered with 429', () => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    for (let i = 0; i < 12; i++) call('echo', String(i));
    bench.time.advance(100);
    expect(requests.length).toBe(8);
    expect(answers).toEqual([8, 9, 10, 11].map((i) => `${i} 429 {"message":"8 methods are not answered yet"}`));
    for (const request of requests) request.respond(200);
    call('echo', 'next');
    bench.time.advance(100);
    expect([requests.length, answers.length]).toEqual([9, 12]);
  });

  test('that nobody answers are given up after 300 s, and others have room', () => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    for (let i = 0; i < 8; i++) call('echo', String(i));
    bench.time.advance(299_000);
    expect(bench.eventsOf('method-dropped')).toEqual([]);
    bench.time.advance(2000);
    expect(bench.eventsOf('method-dropped').length).toBe(8);
    expect(requests[0]?.respond(200)).toBe(false);
    call('echo', 'next');
    bench.time.advance(100);
    expect([requests.length, answers.length]).toEqual([9, 0]);
  });

  test('whose answers the hub does not take are dropped above 16, and the memory does not fill', () => {
    const { bench, call } = open({ methods: { echo: (request) => void request.respond(200) } }, { config: { pubackTimeoutMs: 600_000 } });
    bench.connect();
    bench.network.roomBytes = 0;
    bench.hub.onService = () => {};
    const silent = bench.hub.current!;
    const { send } = silent;
    silent.send = (packet) => {
      if (packet.cmd !== 'puback') send.call(silent, packet);
    };
    for (let i = 0; i < 100; i++) call('echo', String(i));
    bench.time.advance(1000);
    expect(bench.eventsOf('method-dropped').filter(({ reason }) => reason === 'flood').length).toBe(84);
  });
});

describe('a method that is open when its connection', () => {
  test('is renewed delays that by a round trip and 200 ms at most, and is answered over the new one', () => {
    const { bench, requests, answers, call } = open({}, { config: { tokenLifeSeconds: 20 } });
    bench.connect();
    call('echo', '1');
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 20_000);
    requests[0]?.respond(200, 'late');
    bench.time.advance(100);
    expect(answers).toEqual(['1 200 "late"']);
    expect(bench.hub.lines('service')).toEqual(['2 service $iothub/methods/res/200/?$rid=1']);
  });

  test('drains is answered over the old one, and the renewal goes on at once', () => {
    const { bench, requests, answers, call } = open({}, { config: { tokenLifeSeconds: 100 } });
    bench.connect();
    call('echo', '1');
    bench.time.runUntil(() => bench.hub.sessions.length === 2, 100_000);
    const stop = bench.sendEvery(5);
    const lastMs = (): number => bench.hub.log.filter(({ what }) => what === 'publish').at(-1)?.atMs ?? bench.time.nowMs;
    bench.time.runUntil(() => bench.time.nowMs - lastMs() > 60, 100_000);
    const answeredMs = bench.time.nowMs;
    requests[0]?.respond(200);
    bench.time.runUntil(() => bench.hub.connectTimesMs.length === 2, 1000);
    // A round trip for the acknowledgement of the answer, half of one for the CONNECT.
    expect((bench.hub.connectTimesMs[1] ?? 0) - answeredMs).toBeLessThanOrEqual(35);
    expect(answers).toEqual(['1 200 ']);
    stop();
  });

  test('is lost is answered over the next one; an answer that was not acknowledged is sent again', () => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '1');
    call('echo', '2');
    bench.time.advance(100);
    requests[0]?.respond(200, 1);
    bench.network.cut();
    requests[1]?.respond(200, 2);
    bench.time.runUntil(() => answers.length === 2, 30_000);
    expect(answers).toEqual(['1 200 1 again', '2 200 2']);
  });

  test('[MQTT-4.4.0-1] [MQTT-4.6.0-1] is lost: answer and messages come again under their packet identifiers, in the order of the first time', () => {
    const { bench, requests, call } = open();
    bench.connect();
    bench.send();
    bench.drain();
    call('echo', '1');
    bench.time.advance(100);
    const sent: string[] = [];
    const note = (session: number, what: string, { messageId, dup }: { messageId?: number; dup: boolean }): void => void sent.push(`${session} ${what} ${messageId}${dup ? ' again' : ''}`);
    bench.hub.onPublish = (session, packet) => note(session.number, packet.payload.toString(), packet);
    bench.hub.onService = (session, packet) => note(session.number, 'answer', packet);
    bench.hub.acknowledgesService = false;
    bench.send();
    requests[0]?.respond(200);
    bench.send();
    bench.time.advance(100);
    bench.network.cut();
    bench.send();
    bench.time.runUntil(() => sent.length === 7, 30_000);
    const first = ['1 2', '1 answer', '1 3'].map((what, index) => `${what} ${firstId(sent) + index}`);
    expect(sent).toEqual([...first, ...first.map((line) => `${line.replace(/^1/, '2')} again`), `2 4 ${sent[6]?.split(' ')[2]}`]);
    expect(new Set(sent.map((line) => line.split(' ')[2])).size).toBe(4);
  });

  test('is replaced, with another under the same id on the new one, is forgotten', () => {
    const { bench, requests, answers, call } = open();
    bench.connect();
    call('echo', '1', '"old"');
    bench.time.advance(100);
    bench.network.cut();
    bench.time.runUntil(() => bench.agent.isConnected, 30_000);
    bench.time.advance(100);
    call('echo', '1', '"new"');
    bench.time.advance(100);
    expect(requests.map(({ payload }) => payload)).toEqual(['old', 'new']);
    expect([requests[0]?.respond(200, 'old'), requests[1]?.respond(200, 'new')]).toEqual([false, true]);
    bench.time.advance(100);
    expect(answers).toEqual(['1 200 "new"']);
  });
});

test('methods of a part go to the part, all others to the application', () => {
  const heard: string[] = [];
  const parts = [{ methods: { updateRoots: (request: MethodRequest) => void request.respond(200, heard.push('part')) } }];
  const { bench, answers, call } = open({ parts, onMethod: (request) => void request.respond(200, heard.push(request.name)) });
  bench.connect();
  call('updateRoots', '1');
  call('other', '2');
  bench.time.advance(100);
  expect([heard, answers]).toEqual([['part', 'other'], ['1 200 1', '2 200 2']]);
});
