import { describe, expect, test } from '@jest/globals';

import type { LargeMessage } from '../../../firmware/agent/messages/inbound-message.ts';
import { AgentBench } from '../../fakes/agent-bench.ts';

const TOPIC = 'devices/dev1/messages/devicebound/%24.mid=7&kind=blob';

interface LargeBench {
  readonly bench: AgentBench;
  readonly messages: LargeMessage[];
  /** `piece` lengths, `end`, `lost`, in order. */
  readonly heard: (number | string)[];
  readonly bytes: () => Buffer;
  send(byteCount: number, messageId?: number): Buffer;
}

function open(takes: (message: LargeMessage) => boolean = () => true, config = {}): LargeBench {
  const messages: LargeMessage[] = [];
  const heard: (number | string)[] = [];
  const pieces: Uint8Array[] = [];
  const bench = new AgentBench({
    config,
    onMessage: ({ acknowledge }) => acknowledge(),
    application: {
      onLargeMessage: (message) => {
        messages.push(message);
        if (!takes(message)) return undefined;
        return {
          onPiece: (piece) => {
            pieces.push(Uint8Array.from(piece));
            heard.push(piece.length);
          },
          onEnd: () => void heard.push('end'),
          onLost: () => void heard.push('lost'),
        };
      },
    },
  }).connect();
  const send = (byteCount: number, messageId = 1): Buffer => {
    const payload = Buffer.from(Array.from({ length: byteCount }, (_, i) => (i * 7 + messageId) & 0xff));
    bench.hub.current?.send({ cmd: 'publish', topic: TOPIC, payload, qos: 1, messageId, dup: false, retain: false });
    return payload;
  };
  return { bench, messages, heard, bytes: () => Buffer.concat(pieces), send };
}

describe('a message from the cloud above MAX_INBOUND', () => {
  test.each([8193, 64 * 1024, 256_000])('of %d bytes comes in pieces to who takes it, and is acknowledged when that says so', (byteCount) => {
    const { bench, messages, heard, bytes, send } = open();
    const payload = send(byteCount);
    bench.time.advance(1000);
    expect(bytes().equals(payload)).toBe(true);
    expect(heard.at(-1)).toBe('end');
    expect(heard.filter((one) => typeof one === 'number').every((length) => Number(length) <= 1024)).toBe(true);
    expect(messages.map(({ byteCount: count, properties }) => [count, properties.messageId, properties.application.get('kind')])).toEqual([[byteCount, '7', 'blob']]);
    expect(bench.hub.lines('puback')).toEqual([]);
    messages[0]?.acknowledge();
    messages[0]?.acknowledge();
    bench.time.advance(100);
    expect([bench.hub.lines('puback'), bench.eventsOf('oversize')]).toEqual([['1 puback 1'], []]);
  });

  test('that nobody takes is acknowledged once it has passed, and told', () => {
    const { bench, heard, send } = open(() => false);
    send(20_000, 3);
    bench.time.advance(1000);
    expect([bench.hub.lines('puback'), bench.eventsOf('oversize').length, heard]).toEqual([['1 puback 3'], 1, []]);
  });

  test('whose connection is cut in its middle is lost, and comes again from its beginning', () => {
    const { bench, heard, bytes, send } = open();
    bench.hub.current?.tls.write(Buffer.concat([Buffer.from([0x32, 0xa0, 0x9c, 0x01, 0, TOPIC.length]), Buffer.from(TOPIC), Buffer.from([0, 1]), Buffer.alloc(5000, 1)]));
    bench.time.advance(100);
    expect(heard.at(-1)).not.toBe('end');
    const before = bytes().length;
    bench.network.cut();
    expect(heard.at(-1)).toBe('lost');
    bench.time.runUntil(() => bench.agent.isConnected, 60_000);
    const payload = send(20_000);
    bench.time.advance(1000);
    expect(bytes().subarray(before).equals(payload)).toBe(true);
    expect(heard.at(-1)).toBe('end');
  });

  test('that is not acknowledged holds a renewal no longer than its bound, and counts among the eight', () => {
    const { bench, heard, send } = open(undefined, { tokenLifeSeconds: 20 });
    for (let messageId = 1; messageId <= 9; messageId++) send(9000, messageId);
    bench.time.advance(500);
    expect(heard.filter((one) => one === 'end').length).toBe(8);
    expect(bench.time.runUntil(() => bench.eventsOf('renewed').length === 1, 20_000)).toBe(true);
  });

  test('that ends the agent before it is taken is lost at once, not on a later connection', () => {
    const { bench, heard, send } = open(() => {
      bench.agent.stop();
      return true;
    });
    send(20_000);
    bench.time.advance(1000);
    expect(heard).toEqual(['lost']);
    bench.agent.start();
    expect(bench.time.runUntil(() => bench.agent.isConnected, 60_000)).toBe(true);
    bench.network.cut();
    expect(heard).toEqual(['lost']);
  });

  test('whose taker throws passes by without it, waits at the hub, and the agent goes on', () => {
    let pieces = 0;
    const bench = new AgentBench({
      application: {
        onLargeMessage: () => ({
          onPiece: () => {
            pieces += 1;
            throw new Error('full');
          },
          onEnd: () => void pieces++,
          onLost: () => {},
        }),
      },
    }).connect();
    bench.hub.current?.send({ cmd: 'publish', topic: TOPIC, payload: Buffer.alloc(9000), qos: 1, messageId: 1, dup: false, retain: false });
    bench.time.advance(1000);
    expect([pieces, bench.eventsOf('handler-failed').length, bench.hub.lines('puback')]).toEqual([1, 1, []]);
    expect(bench.eventsOf('message-failed')).toEqual([{ type: 'message-failed', topic: TOPIC, tries: 1, dropped: false }]);
    bench.send();
    expect(bench.drain()).toBe(true);
  });

  test.each(['onLargeMessage', 'onPiece', 'onEnd'])('whose %s throws is given up, acknowledged, at the third connection that brings it', (where) => {
    const failing = (here: string) => (): void => {
      if (here === where) throw new Error('full');
    };
    const bench = new AgentBench({
      application: {
        onLargeMessage: () => {
          failing('onLargeMessage')();
          return { onPiece: failing('onPiece'), onEnd: failing('onEnd'), onLost: () => {} };
        },
      },
    });
    bench.hub.onSubscribe = (session, packet) => {
      session.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1] });
      session.send({ cmd: 'publish', topic: TOPIC, payload: Buffer.alloc(9000), qos: 1, messageId: 5, dup: session.number > 1, retain: false });
    };
    bench.connect();
    for (let connection = 1; connection <= 3; connection++) {
      bench.time.advance(1000);
      expect(bench.eventsOf('message-failed').at(-1)).toEqual({ type: 'message-failed', topic: TOPIC, tries: connection, dropped: connection === 3 });
      expect(bench.hub.lines('puback')).toEqual(connection === 3 ? ['3 puback 5'] : []);
      if (connection === 3) break;
      bench.network.cut();
      bench.time.runUntil(() => bench.agent.isConnected, 60_000);
    }
    expect(bench.eventsOf('oversize')).toEqual([]);
  });
});
