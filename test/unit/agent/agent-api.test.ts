import { describe, expect, test } from '@jest/globals';

import { Agent } from '../../../firmware/agent/agent.ts';
import type { InboundMessage } from '../../../firmware/agent/application.ts';
import { parseConfig } from '../../../firmware/agent/config.ts';
import { AgentBench } from '../../fakes/agent-bench.ts';

describe('the state', () => {
  test('says what is going on, from stop over connection and renewal to stop', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100 } });
    expect(bench.agent.state).toEqual({ status: 'stopped' });
    bench.agent.start();
    expect(bench.agent.state).toEqual({ status: 'connecting' });
    bench.connect();
    expect(bench.agent.state).toEqual({ status: 'connected', tokenMs: expect.any(Number), renewal: 'scheduled' });
    bench.time.runUntil(() => bench.hub.sessions.length === 2, 100_000);
    expect(bench.agent.state).toMatchObject({ status: 'connected', renewal: 'under-way' });
    bench.agent.stop();
    expect(bench.agent.state).toEqual({ status: 'stopped' });
  });

  test('names why there is no connection: the network, a refusal, the clock, the token', () => {
    const lost = new AgentBench().connect();
    lost.network.refuses = true;
    lost.network.cut();
    expect(lost.agent.state).toEqual({ status: 'waiting', reason: 'network', retryMs: expect.any(Number) });

    const refused = new AgentBench();
    refused.hub.onConnect = (session) => session.refuse(5);
    refused.agent.start();
    refused.time.runUntil(() => refused.eventsOf('refused').length === 2, 100_000);
    expect(refused.agent.state).toEqual({ status: 'waiting', reason: 'refused', retryMs: expect.any(Number) });

    const blind = new AgentBench({ config: { timeServers: ['10.0.0.7', '10.0.0.8'] } });
    blind.port.wallOffMs = -blind.port.wallMs();
    blind.agent.start();
    expect(blind.agent.state).toEqual({ status: 'waiting', reason: 'clock' });

    const ended = new AgentBench({ config: { token: `SharedAccessSignature sr=hub.test%2Fdevices%2Fdev1&sig=x&se=${1_795_305_600 - 10}` } });
    ended.agent.start();
    expect(ended.agent.state).toEqual({ status: 'waiting', reason: 'token' });
  });

  test('says that a renewal fails while the old token is in use', () => {
    const bench = new AgentBench({ config: { tokenLifeSeconds: 100 } }).connect();
    bench.hub.onConnect = (session) => session.refuse(5);
    bench.time.runUntil(() => bench.eventsOf('refused').length === 1, 100_000);
    expect(bench.agent.state).toMatchObject({ status: 'connected', renewal: 'failing' });
  });
});

describe('the application is told', () => {
  test('once of a connection and once of its end, whatever was renewed between', () => {
    const said: string[] = [];
    const application = { onConnected: () => void said.push('connected'), onDisconnected: (code: string) => void said.push(code) };
    const bench = new AgentBench({ config: { tokenLifeSeconds: 5 }, application }).connect();
    bench.time.runUntil(() => bench.eventsOf('renewed').length === 3, 30_000);
    expect(said).toEqual(['connected']);
    bench.network.cut();
    bench.time.runUntil(() => bench.agent.isConnected, 60_000);
    bench.agent.stop();
    expect(said).toEqual(['connected', 'ERR_LINK_LOST', 'connected', 'STOPPED']);
  });

  test('of the end also when the hub closed the older connection for a CONNECT that it then refused', () => {
    const said: string[] = [];
    const application = { onConnected: () => void said.push('connected'), onDisconnected: (code: string) => void said.push(code) };
    const bench = new AgentBench({ config: { tokenLifeSeconds: 20 }, application }).connect();
    bench.hub.onConnect = (session) => {
      bench.hub.current?.drop();
      bench.time.after(100, () => session.refuse(5));
    };
    bench.time.runUntil(() => bench.eventsOf('refused').length === 1, 20_000);
    expect([bench.agent.isConnected, said.length, said[0]]).toEqual([false, 2, 'connected']);
  });
});

describe('a batch', () => {
  test('is sent as messages of their own, in order', () => {
    const bench = new AgentBench().connect();
    expect(bench.agent.sendBatch([{ payload: 'a' }, { payload: 'b', properties: { messageId: '2' } }, { payload: new Uint8Array([0x63]) }])).toBe(3);
    bench.drain();
    expect(bench.hub.received).toEqual(['a', 'b', 'c']);
  });

  test('is taken as far as there is room', () => {
    const bench = new AgentBench({ config: { queue: 3 } });
    expect(bench.agent.sendBatch(['a', 'b', 'c', 'd', 'e'].map((payload) => ({ payload })))).toBe(3);
    expect([bench.agent.pending, bench.agent.sendBatch([])]).toEqual([3, 0]);
  });

  test('with one message that cannot be sent is refused whole', () => {
    const bench = new AgentBench().connect();
    expect(() => bench.agent.sendBatch([{ payload: 'a' }, { payload: 'x'.repeat(300_000) }])).toThrow(expect.objectContaining({ code: 'ERR_MESSAGE_SIZE' }));
    expect(bench.agent.pending).toBe(0);
  });
});

describe('a module', () => {
  const config = { moduleId: 'mod-1' };

  test('sends under its own name, has a twin and methods', () => {
    const topics: string[] = [];
    const bench = new AgentBench({ config, application: { desired: ['a'], onDesired: () => {}, methods: { m: (request) => void request.respond(200) } } });
    bench.hub.onSubscribe = (session, packet) => {
      topics.push(...packet.subscriptions.map(({ topic }) => topic));
      session.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 0) });
    };
    const sent: string[] = [];
    bench.hub.onPublish = (session, packet) => {
      sent.push(packet.topic);
      bench.hub.process(session, packet);
    };
    bench.connect();
    bench.send();
    bench.drain();
    expect(bench.hub.sessions[0]?.connect?.clientId).toBe('dev1/mod-1');
    expect(topics).toEqual(['$iothub/methods/POST/#', '$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#']);
    expect(sent).toEqual(['devices/dev1/modules/mod-1/messages/events/']);
  });

  test('that wants messages from the cloud is refused: there are none', () => {
    const { port } = new AgentBench();
    const options = { config: parseConfig({ hub: 'hub.test', deviceId: 'dev1', ...config }, 'test'), port, onMessage: () => {} };
    expect(() => new Agent(options)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });

  test('whose part wants messages goes without', () => {
    const bench = new AgentBench({ config, application: { parts: [{ onMessage: () => {} }] } }).connect();
    bench.time.advance(100);
    expect(bench.hub.lines('subscribe')).toEqual([]);
  });
});

describe('a message from the cloud', () => {
  const messageTo = (bench: AgentBench, properties: string, messageId = 1): void =>
    bench.hub.current?.send({ cmd: 'publish', topic: `devices/dev1/messages/devicebound/${properties}`, payload: Buffer.from([0, 255, 10]), qos: 1, messageId, dup: false, retain: false });

  test('comes with its properties and any bytes', () => {
    const messages: InboundMessage[] = [];
    const bench = new AgentBench({ onMessage: (message) => messages.push(message) }).connect();
    messageTo(bench, '%24.mid=7&%24.to=%2Fdevices%2Fdev1%2Fmessages%2Fdevicebound&%24.ct=application%2Fjson&room=kitchen&empty=&%C3%BC=%F0%9F%94%A5');
    bench.time.advance(100);
    const [message] = messages;
    expect(message?.properties).toMatchObject({ messageId: '7', to: '/devices/dev1/messages/devicebound', contentType: 'application/json' });
    expect([...(message?.properties.application ?? [])]).toEqual([['room', 'kitchen'], ['empty', ''], ['ü', '🔥']]);
    expect([...(message?.payload ?? [])]).toEqual([0, 255, 10]);
  });

  test('goes to the part that says it is its own, else to the application', () => {
    const heard: string[] = [];
    const parts = [
      {
        onMessage: ({ properties, acknowledge }: InboundMessage) => {
          if (!properties.application.has('latchkey-roots')) return false;
          heard.push('part');
          acknowledge();
          return true;
        },
      },
    ];
    const bench = new AgentBench({ application: { parts }, onMessage: ({ acknowledge }) => (heard.push('application'), acknowledge()) }).connect();
    messageTo(bench, 'latchkey-roots=2.0.1', 1);
    messageTo(bench, 'other=1', 2);
    bench.time.advance(100);
    expect(heard).toEqual(['part', 'application']);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 1', '1 puback 2']);
  });

  test('that no part wants is acknowledged: nobody would ever', () => {
    const bench = new AgentBench({ application: { parts: [{ onMessage: () => false }] } }).connect();
    messageTo(bench, '');
    bench.time.advance(100);
    expect(bench.hub.lines('puback')).toEqual(['1 puback 1']);
  });
});
