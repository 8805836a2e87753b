import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { PacketReader } from '../../host-sim/hub/mqtt/packet-reader.ts';
import { HubBench, publish } from './hub-peer.ts';

const read = (hex: string): ReturnType<PacketReader['read']> => new PacketReader().read(Buffer.from(hex, 'hex'));

/** CONNECT of client "a" with clean session 1, user name "u", password "p"; `flags` and what follows can be changed. */
const connect = (flags: string, payload = '000161' + '000175' + '000170'): string => {
  const body = `00044d515454${'04'}${flags}003c${payload}`;
  return `10${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
};

test.each<[what: string, hex: string]>([
  ['[MQTT-2.2.2-2] CONNECT with flags in its fixed header', '11' + connect('c2').slice(2)],
  ['[MQTT-3.1.2-1] another protocol name', connect('c2').replace('4d515454', '4d515455')],
  ['[MQTT-3.1.2-3] the reserved connect flag', connect('c3')],
  ['[MQTT-3.1.2-13] will QoS without will', connect('ca')],
  ['[MQTT-3.1.2-14] will QoS 3', connect('de', '000161' + '000174' + '000178' + '000175' + '000170')],
  ['[MQTT-3.1.2-15] will retain without will', connect('e2')],
  ['[MQTT-3.1.2-22] a password without user name', connect('42', '000161' + '000170')],
  ['a CONNECT that ends before its password', connect('c2', '000161' + '000175')],
  ['a CONNECT with bytes behind its password', connect('c2', '000161' + '000175' + '000170' + '00')],
  ['[MQTT-1.5.3-1] a client id that is no UTF-8', connect('c2', '0001ff' + '000175' + '000170')],
  ['an empty CONNECT', '1000'],
  ['[MQTT-3.3.1-4] QoS 3', '36050001610001'],
  ['[MQTT-3.3.1-2] DUP with QoS 0', '38030001' + '61'],
  ['a PUBLISH whose topic is longer than the packet', '3003000961'],
  ['a PUBLISH with QoS 1 that ends before its packet id', '3203000161'],
  ['a PUBLISH with QoS 1 that ends within its packet id', '320400016100'],
  ['[MQTT-2.3.1-1] a PUBLISH with packet id 0', '32050001610000'],
  ['an empty PUBLISH', '3000'],
  ['[MQTT-3.8.1-1] SUBSCRIBE without the reserved bit', '800600010001' + '6101'],
  ['[MQTT-3.8.3-3] SUBSCRIBE without a filter', '82020001'],
  ['[MQTT-3-8.3-4] SUBSCRIBE with reserved bits in its QoS', '8206000100016104'],
  ['[MQTT-3-8.3-4] SUBSCRIBE with QoS 3', '8206000100016103'],
  ['SUBSCRIBE with packet id 0', '8206000000016101'],
  ['SUBSCRIBE whose filter has no QoS', '82050001000161'],
  ['[MQTT-3.10.1-1] UNSUBSCRIBE without the reserved bit', 'a0050001000161'],
  ['[MQTT-3.10.3-2] UNSUBSCRIBE without a filter', 'a2020001'],
  ['PUBACK with packet id 0', '40020000'],
  ['PUBACK that is too short', '400100'],
  ['PUBACK that is too long', '4003000100'],
  ['PINGREQ with a body', 'c00100'],
  ['DISCONNECT with a body', 'e00100'],
  ['[MQTT-3.14.1-1] DISCONNECT with flags', 'e100'],
  ['packet type 0', '0000'],
  ['packet type 15', 'f000'],
  ['CONNACK, which only servers send', '20020000'],
  ['SUBACK, which only servers send', '9003000101'],
  ['UNSUBACK, which only servers send', 'b0020001'],
  ['PINGRESP, which only servers send', 'd000'],
  ['PUBREC, as there is no QoS 2', '50020001'],
  ['PUBREL, as there is no QoS 2', '62020001'],
  ['PUBCOMP, as there is no QoS 2', '70020001'],
])('takes for malformed: %s', async (_, hex) => {
  expect(read(hex).cmd).toBe('malformed');

  const bench = new HubBench();
  const peer = await bench.connect();
  await peer.send(Buffer.from(hex, 'hex'));
  expect(peer.isEnded).toBe(true);
  expect(bench.eventsOf('disconnected')).toMatchObject([{ connection: 1, reason: 'packet-malformed' }]);
  // The hub goes on.
  await bench.connect();
});

test.each<[what: string, hex: string, packet: object]>([
  ['CONNECT', connect('c2'), { cmd: 'connect', clientId: 'a', clean: true, keepalive: 60 }],
  ['CONNECT with a will', connect('ce', '000161' + '000174' + '000178' + '000175' + '000170'), { cmd: 'connect', will: { topic: 't', qos: 1 } }],
  ['PUBLISH, QoS 0', '300400016178', { cmd: 'publish', topic: 'a', qos: 0 }],
  ['PUBLISH, QoS 1 and DUP', '3a050001610001', { cmd: 'publish', qos: 1, dup: true, messageId: 1 }],
  ['PUBLISH without payload', '3003000161', { cmd: 'publish', topic: 'a' }],
  ['SUBSCRIBE', '8206ffff00016101', { cmd: 'subscribe', messageId: 65_535, subscriptions: [{ topic: 'a', qos: 1 }] }],
  ['UNSUBSCRIBE', 'a2050001000161', { cmd: 'unsubscribe', unsubscriptions: ['a'] }],
  ['PUBACK', '4002ffff', { cmd: 'puback', messageId: 65_535 }],
  ['PINGREQ', 'c000', { cmd: 'pingreq' }],
  ['DISCONNECT', 'e000', { cmd: 'disconnect' }],
])('reads %s', (_, hex, packet) => {
  expect(read(hex)).toMatchObject(packet);
});

test('every truncation of every packet with its length made to fit is read or refused, never thrown', () => {
  const packets = [
    generate(new HubBench().connectPacket()),
    generate(publish('devices/dev1/messages/events/', 'payload', { qos: 1, messageId: 1 })),
    generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/#', qos: 1 }, { topic: 'b', qos: 0 }] }),
    generate({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['a', 'b'] }),
  ];
  let refused = 0;
  for (const packet of packets) {
    const headerBytes = packet[1]! < 0x80 ? 2 : 3;
    for (let length = 0; length < packet.length - headerBytes; length++) {
      const header = length < 0x80 ? [packet[0]!, length] : [packet[0]!, (length & 0x7f) | 0x80, length >> 7];
      const result = new PacketReader().read(Buffer.concat([Buffer.from(header), packet.subarray(headerBytes, headerBytes + length)]));
      if (result.cmd === 'malformed') refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(200);
});

test('random packets of a connected client never end the hub', async () => {
  const bench = new HubBench();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 60 }), async (first, body) => {
      const peer = await bench.connect();
      await peer.send(Buffer.concat([Buffer.from([first, body.length]), body]), { cmd: 'pingreq' });
      expect(peer.isEnded || peer.received.at(-1)?.cmd === 'pingresp').toBe(true);
    }),
    { numRuns: 300, seed: 1 },
  );
  await bench.connect();
});
