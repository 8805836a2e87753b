import { CLOUD_TOPIC, CLOUD_TOPIC_BYTES, cloudMessage, packet, text } from './bytes.ts';

/** Where the bytes take the place of the usual answer: to CONNECT, to SUBSCRIBE, to each PUBLISH; or after the SUBACK. */
export type Stage = 'connect' | 'subscribe' | 'publish' | 'idle';

/** Two answers that differ in the defect only. */
export interface PacketCase {
  readonly rule: string;
  readonly name: string;
  readonly stage: Stage;
  readonly good: string;
  readonly bad: string;
  /** What the agent says of the bad one; `undefined`: nothing, for the defect is passed over. */
  readonly says: Readonly<Record<string, unknown>> | undefined;
  /** Whether the connection outlives the bad one. */
  readonly survives: boolean;
  /** The line by which the good one shows that it was taken. */
  readonly goodSays?: Readonly<Record<string, unknown>>;
  /** The packet id that is acknowledged after either. */
  readonly acknowledges?: number;
}

type Row = readonly [rule: string, name: string, good: string, bad: string];

const CONNACK = '20 02 00 00';
const SUBACK = '90 03 {id} 01';
const PUBACK = '40 02 {id}';
const PINGRESP = 'd0 00';
/** `maxInboundBytes` of the agent, and the largest message that IoT Hub knows. */
const MAX_INBOUND_BYTES = 8192;
const LARGE_BYTES = 256 * 1024;

/** The connection ends with ERR_PROTOCOL. */
const IDLE: readonly Row[] = [
  ['MQTT-2.2.2-2', 'a reserved type 0', PINGRESP, '00 00'],
  ['MQTT-2.2.2-2', 'a reserved type 15', PINGRESP, 'f0 00'],
  ['MQTT-3.1.0', 'a CONNECT', PINGRESP, '10 10 0004 4d515454 04 82 0000 0001 64 0001 75'],
  ['MQTT-3.2.0', 'a second CONNACK', PINGRESP, CONNACK],
  ['MQTT-3.2.0', 'a second CONNACK that refuses', PINGRESP, '20 02 00 05'],
  ['MQTT-3.5', 'a PUBREC', '40 02 0007', '50 02 0007'],
  ['MQTT-3.6', 'a PUBREL', '40 02 0007', '62 02 0007'],
  ['MQTT-3.7', 'a PUBCOMP', '40 02 0007', '70 02 0007'],
  ['MQTT-3.8', 'a SUBSCRIBE', '90 03 0007 01', '82 06 0007 0001 61 01'],
  ['MQTT-3.10', 'an UNSUBSCRIBE', 'b0 02 0007', 'a2 05 0007 0001 61'],
  ['MQTT-3.12', 'a PINGREQ', PINGRESP, 'c0 00'],
  ['MQTT-3.14', 'a DISCONNECT', PINGRESP, 'e0 00'],
  ['MQTT-2.2.3', 'a remaining length of five bytes', '40 82 00 0007', '40 82 80 80 80 00 0007'],
  ['MQTT-2.2.3', 'a PUBACK of 256 MB', '40 02 0007', '40 ff ff ff 7f 0007'],
  ['MQTT-2.2.2-2', 'a PUBACK with flags', '40 02 0007', '42 02 0007'],
  ['MQTT-2.3.1-1', 'a PUBACK for id 0', '40 02 0007', '40 02 0000'],
  ['MQTT-3.4.1', 'a PUBACK of one byte', '40 02 0007', '40 01 07'],
  ['MQTT-3.4.1', 'a PUBACK of three bytes', '40 02 0007', '40 03 0007 00'],
  ['MQTT-2.2.2-2', 'a SUBACK with flags', '90 03 0007 01', '92 03 0007 01'],
  ['MQTT-2.3.1-1', 'a SUBACK for id 0', '90 03 0007 01', '90 03 0000 01'],
  ['MQTT-3.9.3', 'a SUBACK without a code', '90 03 0007 01', '90 02 0007'],
  ['MQTT-3.9.3-2', 'a SUBACK with a reserved code', '90 03 0007 02', '90 03 0007 03'],
  ['MQTT-3.9.3-1', 'a SUBACK with 33 codes', `90 22 0007 ${'01'.repeat(32)}`, `90 23 0007 ${'01'.repeat(33)}`],
  ['MQTT-2.2.2-2', 'an UNSUBACK with flags', 'b0 02 0007', 'b2 02 0007'],
  ['MQTT-2.3.1-1', 'an UNSUBACK for id 0', 'b0 02 0007', 'b0 02 0000'],
  ['MQTT-3.11.1', 'an UNSUBACK of three bytes', 'b0 02 0007', 'b0 03 0007 00'],
  ['MQTT-2.2.2-2', 'a PINGRESP with flags', PINGRESP, 'd1 00'],
  ['MQTT-3.13.1', 'a PINGRESP of one byte', PINGRESP, 'd0 01 00'],
  ['MQTT-2.3.1-1', 'a PUBLISH with id 0', packet(0x32, text('a'), '0001', '21'), packet(0x32, text('a'), '0000', '21')],
  ['MQTT-3.3.1-2', 'a PUBLISH with DUP and QoS 0', packet(0x30, text('a'), '21'), packet(0x38, text('a'), '21')],
  ['MQTT-3.8.4-6', 'a PUBLISH with QoS 2', packet(0x32, text('a'), '0001'), packet(0x34, text('a'), '0001')],
  ['MQTT-3.3.1-4', 'a PUBLISH with both QoS bits', packet(0x32, text('a'), '0001'), packet(0x36, text('a'), '0001')],
  ['MQTT-3.3.2', 'a PUBLISH without a topic', packet(0x30, text('a')), '30 00'],
  ['MQTT-3.3.2', 'a PUBLISH with half a topic length', packet(0x30, text('a')), '30 01 00'],
  ['MQTT-3.3.2', 'a PUBLISH whose topic is longer than the packet', packet(0x30, '0001 61'), packet(0x30, '0002 61')],
  ['MQTT-3.3.2', 'a PUBLISH with QoS 1 and no id', packet(0x32, text('a'), '0001'), packet(0x32, text('a'))],
  ['MQTT-3.3.2', 'a PUBLISH with QoS 1 and half an id', packet(0x32, text('a'), '0001'), packet(0x32, text('a'), '01')],
  ['MQTT-4.7.3-1', 'a PUBLISH to an empty topic', packet(0x30, text('a')), packet(0x30, text(''))],
  ['MQTT-3.3.2-2', 'a PUBLISH to a topic with #', packet(0x30, text('a/b')), packet(0x30, text('a/#'))],
  ['MQTT-3.3.2-2', 'a PUBLISH to a topic with +', packet(0x30, text('a/b')), packet(0x30, text('a/+'))],
  ['MQTT-1.5.3-2', 'a PUBLISH with NUL in the topic', packet(0x30, '0002 6161'), packet(0x30, '0002 6100')],
  ['MQTT-1.5.3-1', 'a PUBLISH with a surrogate in the topic', packet(0x30, '0003 ed9fbf'), packet(0x30, '0003 eda080')],
  ['MQTT-1.5.3-1', 'a PUBLISH with an overlong slash in the topic', packet(0x30, '0003 e0a0af'), packet(0x30, '0003 e080af')],
  ['MQTT-1.5.3-1', 'a PUBLISH with a character above U+10FFFF in the topic', packet(0x30, '0004 f48fbfbf'), packet(0x30, '0004 f4908080')],
  ['MQTT-1.5.3-1', 'a PUBLISH with half a character in the topic', packet(0x30, '0003 61c3a9'), packet(0x30, '0002 61c3')],
  ['MQTT-3.3.2', 'a PUBLISH of 256 KB for id 0', cloudMessage(LARGE_BYTES, 1), cloudMessage(LARGE_BYTES, 0)],
];

/** In place of the CONNACK: the connection never comes up. */
const CONNECT: readonly Row[] = [
  ['MQTT-2.2.2-2', 'a CONNACK with flags', CONNACK, '21 02 00 00'],
  ['MQTT-3.2.2-1', 'a CONNACK with reserved acknowledge flags', CONNACK, '20 02 02 00'],
  ['MQTT-3.2.1', 'a CONNACK of one byte', CONNACK, '20 01 00'],
  ['MQTT-3.2.1', 'a CONNACK of three bytes', CONNACK, '20 03 00 00 00'],
  ['MQTT-3.2.1', 'a CONNACK of 256 MB', CONNACK, '20 ff ff ff 7f 00 00'],
  ['MQTT-3.2.0-1', 'a PUBACK before the CONNACK', CONNACK, `40 02 0001 ${CONNACK}`],
  ['MQTT-3.2.0-1', 'a PUBLISH before the CONNACK', CONNACK, `${packet(0x30, text('a'))} ${CONNACK}`],
  ['MQTT-3.2.0-1', 'a PUBLISH of 256 KB before the CONNACK', CONNACK, `${cloudMessage(LARGE_BYTES)} ${CONNACK}`],
  ['MQTT-3.2.0-1', 'a PINGRESP before the CONNACK', CONNACK, `${PINGRESP} ${CONNACK}`],
  ['MQTT-3.2.0-1', 'a SUBACK before the CONNACK', CONNACK, `90 03 0001 01 ${CONNACK}`],
];

/** CONNACK codes; 6 and above are reserved. */
const REFUSALS = [1, 2, 3, 4, 5, 6, 128, 255];

const ENDS = { event: 'disconnected', code: 'ERR_PROTOCOL' } as const;

/** What a good answer behind the SUBACK leads to, if it is a PUBLISH: small ones go to topics that the agent did not ask for. */
function signOf(good: string): Pick<PacketCase, 'goodSays'> {
  if (!good.startsWith('3')) return {};
  return { goodSays: { event: good.length > 4 * MAX_INBOUND_BYTES ? 'oversize' : 'ignored' } };
}

/** The good one is the largest that is held whole. */
function large(name: string, packetId: number | undefined): PacketCase {
  const variableHeaderBytes = CLOUD_TOPIC_BYTES + (packetId === undefined ? 0 : 2);
  const heldPayloadBytes = MAX_INBOUND_BYTES - 3 - variableHeaderBytes;
  return {
    rule: 'MAX_INBOUND',
    name,
    stage: 'idle',
    good: `${SUBACK} ${cloudMessage(heldPayloadBytes, packetId)}`,
    bad: `${SUBACK} ${cloudMessage(LARGE_BYTES, packetId)}`,
    goodSays: { event: 'message', byteCount: heldPayloadBytes },
    says: { event: 'oversize', topic: CLOUD_TOPIC, byteCount: 4 + variableHeaderBytes + LARGE_BYTES },
    survives: true,
    ...(packetId !== undefined && { acknowledges: packetId }),
  };
}

export const PACKET_CASES: readonly PacketCase[] = [
  ...REFUSALS.map((returnCode): PacketCase => {
    const bad = `20 02 00 ${returnCode.toString(16).padStart(2, '0')}`;
    return { rule: 'MQTT-3.2.2.3', name: `a CONNACK with code ${returnCode}`, stage: 'connect', good: CONNACK, bad, says: { event: 'refused', returnCode, online: false }, survives: false };
  }),
  ...CONNECT.map(([rule, name, good, bad]): PacketCase => ({ rule, name, stage: 'connect', good, bad, says: { event: 'open-failed', code: 'ERR_PROTOCOL' }, survives: false })),
  { rule: 'MQTT-3.2.0', name: 'two CONNACKs at once', stage: 'connect', good: CONNACK, bad: `${CONNACK} ${CONNACK}`, says: ENDS, survives: false },
  {
    rule: 'MQTT-3.9.3',
    name: 'a SUBACK with 0x80',
    stage: 'subscribe',
    good: SUBACK,
    bad: '90 03 {id} 80',
    says: { event: 'subscription-refused', topic: `${CLOUD_TOPIC}#` },
    survives: true,
  },
  { rule: 'MQTT-3.9.3', name: 'a SUBACK with 0x80 for an unknown id', stage: 'subscribe', good: SUBACK, bad: `90 03 fffe 80 ${SUBACK}`, says: undefined, survives: true },
  { rule: 'MQTT-3.8.4-1', name: 'no SUBACK', stage: 'subscribe', good: SUBACK, bad: '', says: undefined, survives: true },
  { rule: 'MQTT-3.4.2', name: 'a PUBACK for an unknown id', stage: 'publish', good: PUBACK, bad: `40 02 fffe ${PUBACK}`, says: undefined, survives: true },
  { rule: 'MQTT-3.4.2', name: 'a PUBACK twice', stage: 'publish', good: PUBACK, bad: `${PUBACK} ${PUBACK}`, says: undefined, survives: true },
  { rule: 'MQTT-3.4', name: 'a PUBREC for a PUBLISH of QoS 1', stage: 'publish', good: PUBACK, bad: '50 02 {id}', says: ENDS, survives: false },
  large('a PUBLISH of 256 KB with QoS 0', undefined),
  large('a PUBLISH of 256 KB with QoS 1', 0x1234),
  ...IDLE.map(([rule, name, good, bad]): PacketCase => ({
    rule,
    name,
    stage: 'idle',
    good: `${SUBACK} ${good}`,
    bad: `${SUBACK} ${bad}`,
    says: ENDS,
    survives: false,
    ...signOf(good),
  })),
];
