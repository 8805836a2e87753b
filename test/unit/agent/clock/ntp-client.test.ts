import { describe, expect, test } from '@jest/globals';

import { NtpClient, type NtpResult } from '../../../../firmware/agent/clock/ntp-client.ts';
import { FakeNetwork, type Answer } from '../../../fakes/fake-network.ts';
import { BUILD_TIME_MS, FakePort, WALL_AT_START_MS } from '../../../fakes/fake-port.ts';
import { FakeTime } from '../../../fakes/fake-time.ts';
import { ntpAnswer } from '../../../fakes/ntp-answer.ts';

const tells = (unixMs: number): Answer => (query, reply) => reply(ntpAnswer(query, unixMs));

interface Scene {
  readonly time: FakeTime;
  readonly network: FakeNetwork;
  readonly port: FakePort;
  readonly client: NtpClient;
  readonly results: NtpResult[];
}

function scene(servers: readonly string[], answers: Record<string, Answer>): Scene {
  const time = new FakeTime();
  const network = new FakeNetwork(time);
  const port = new FakePort(time, network);
  network.name('one.test', '10.0.0.11');
  network.name('two.test', '10.0.0.12');
  network.name('also-one.test', '10.0.0.11');
  for (const [address, answer] of Object.entries(answers)) {
    const [host = '', portText = ''] = address.split(':');
    network.answerDatagrams(host, Number(portText), answer);
  }
  const results: NtpResult[] = [];
  const client = new NtpClient(port, servers, BUILD_TIME_MS, time.nowMs, (result) => results.push(result));
  port.wake = () => client.woke(time.nowMs);
  port.schedule(client.deadlineMs);
  client.open();
  return { time, network, port, client, results };
}

describe('two time servers', () => {
  test('that agree give the earlier time, once, as soon as both have answered', () => {
    const { time, results } = scene(['one.test', 'two.test'], { '10.0.0.11:123': tells(WALL_AT_START_MS + 700), '10.0.0.12:123': tells(WALL_AT_START_MS + 200) });
    time.advance(60);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS + 200, disagreementMs: 0 }]);
    time.advance(10_000);
    expect(results.length).toBe(1);
  });

  test('that disagree by more than 10 s give the earlier time, and it is told', () => {
    const { time, results } = scene(['one.test', 'two.test'], { '10.0.0.11:123': tells(WALL_AT_START_MS), '10.0.0.12:123': tells(WALL_AT_START_MS + 10_001) });
    time.advance(60);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS, disagreementMs: 10_001 }]);
  });

  test('of which one is silent give the other one\'s time, after 3 s', () => {
    const { time, results } = scene(['one.test', 'two.test'], { '10.0.0.12:123': tells(WALL_AT_START_MS) });
    time.advance(2999);
    expect(results).toEqual([]);
    time.advance(1);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS, disagreementMs: 0 }]);
  });

  test('of which one has no address give the other one\'s time at once', () => {
    const { time, results } = scene(['nowhere.test', 'two.test:10123'], { '10.0.0.12:10123': tells(WALL_AT_START_MS) });
    time.advance(60);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS, disagreementMs: 0 }]);
  });

  test('that are one and the same both count', () => {
    const { time, results } = scene(['one.test', 'also-one.test'], { '10.0.0.11:123': tells(WALL_AT_START_MS) });
    time.advance(60);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS, disagreementMs: 0 }]);
  });

  test('that are both silent give nothing, after 3 s', () => {
    const { time, results } = scene(['one.test', 'two.test'], {});
    time.advance(3000);
    expect(results).toEqual([{ unixMs: undefined, disagreementMs: 0 }]);
  });

  test('without an address give nothing at once', () => {
    expect(scene(['x.test', 'y.test'], {}).results).toEqual([{ unixMs: undefined, disagreementMs: 0 }]);
  });
});

describe('an answer that is none', () => {
  const bad: [string, (query: Uint8Array) => Uint8Array][] = [
    ['of another query', (query) => ntpAnswer(query.map((byte) => byte ^ 1), WALL_AT_START_MS)],
    ['cut short', (query) => ntpAnswer(query, WALL_AT_START_MS).subarray(0, 47)],
    ['of a server without a time', (query) => Uint8Array.from(ntpAnswer(query, WALL_AT_START_MS), (byte, i) => (i === 1 ? 16 : byte))],
    ['a kiss of death', (query) => Uint8Array.from(ntpAnswer(query, WALL_AT_START_MS), (byte, i) => (i === 1 ? 0 : byte))],
    ['empty', () => new Uint8Array(0)],
  ];

  test.each(bad)('%s is passed over: the true one counts when it comes', (_name, spoil) => {
    const { time, results } = scene(['one.test'], {
      '10.0.0.11:123': (query, reply) => {
        reply(spoil(query));
        reply(ntpAnswer(query, WALL_AT_START_MS));
      },
    });
    time.advance(60);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS, disagreementMs: 0 }]);
  });

  test.each(bad)('%s alone is as good as silence', (_name, spoil) => {
    const { time, results } = scene(['one.test'], { '10.0.0.11:123': (query, reply) => reply(spoil(query)) });
    time.advance(3000);
    expect(results).toEqual([{ unixMs: undefined, disagreementMs: 0 }]);
  });

  test('from an address that was not asked is passed over, though it knows the nonce', () => {
    const { time, network, results } = scene(['one.test'], {
      '10.0.0.11:123': (query) => network.injectDatagram(ntpAnswer(query, WALL_AT_START_MS + 86_400_000), '10.0.0.66', 123),
    });
    time.advance(3000);
    expect(results).toEqual([{ unixMs: undefined, disagreementMs: 0 }]);
  });

  test('a second answer changes nothing', () => {
    const { time, results } = scene(['one.test', 'two.test'], {
      '10.0.0.11:123': (query, reply) => {
        reply(ntpAnswer(query, WALL_AT_START_MS));
        reply(ntpAnswer(query, WALL_AT_START_MS - 1_000_000));
      },
      '10.0.0.12:123': tells(WALL_AT_START_MS),
    });
    time.advance(60);
    expect(results).toEqual([{ unixMs: WALL_AT_START_MS, disagreementMs: 0 }]);
  });
});

test('each query has a nonce of its own, and says no time', () => {
  const nonces = new Set<string>();
  const note: Answer = (query) => void nonces.add(Buffer.from(query.subarray(40)).toString('hex'));
  const { time } = scene(['one.test', 'two.test'], { '10.0.0.11:123': note, '10.0.0.12:123': note });
  time.advance(60);
  expect(nonces.size).toBe(2);
});

test('closed, it says nothing more', () => {
  const { time, client, results } = scene(['one.test'], { '10.0.0.11:123': tells(WALL_AT_START_MS) });
  client.close();
  time.advance(10_000);
  expect(results).toEqual([]);
});

test('a resolver or a socket that throws is a server that is silent', () => {
  const time = new FakeTime();
  const port = new FakePort(time, new FakeNetwork(time));
  const results: NtpResult[] = [];
  port.resolve = () => {
    throw new Error('no more requests');
  };
  new NtpClient(port, ['one.test', 'two.test'], 0, 0, (result) => results.push(result)).open();
  port.openUdp = () => {
    throw new Error('no more sockets');
  };
  new NtpClient(port, ['one.test'], 0, 0, (result) => results.push(result)).open();
  expect(results).toEqual([{ unixMs: undefined, disagreementMs: 0 }, { unixMs: undefined, disagreementMs: 0 }]);
});
