import { parser, type IConnectPacket, type IPublishPacket, type ISubscribePacket, type IUnsubscribePacket, type Packet, type Parser } from 'mqtt-packet';

/** What a client may send. */
export type ClientPacket =
  | IConnectPacket
  | IPublishPacket
  | ISubscribePacket
  | IUnsubscribePacket
  | { readonly cmd: 'puback'; readonly messageId: number }
  | { readonly cmd: 'pingreq' | 'disconnect' };

/** A packet that breaks MQTT; `fault` says which rule. */
export interface MalformedPacket {
  readonly cmd: 'malformed';
  readonly fault: string;
  /** Set for a CONNECT of another protocol version: the one fault that MQTT answers. */
  readonly wrongVersion: boolean;
}

/** mqtt-packet's words for a CONNECT with a protocol level that it does not know. */
const UNKNOWN_VERSION = 'Invalid protocol version';

/** Reads one packet at a time with mqtt-packet and adds the checks that a server owes and a codec leaves out. */
export class PacketReader {
  readonly #parser: Parser = parser({ protocolVersion: 4 });
  #packet: Packet | undefined;
  #error: string | undefined;

  constructor() {
    this.#parser.on('packet', (packet) => {
      this.#packet = packet;
    });
    this.#parser.on('error', (error: unknown) => {
      this.#error = error instanceof Error ? error.message : 'unreadable';
    });
  }

  /** @param bytes exactly one packet, as `Framer` cuts it */
  read(bytes: Buffer): ClientPacket | MalformedPacket {
    this.#packet = undefined;
    this.#error = undefined;
    try {
      this.#parser.parse(bytes);
    } catch (error) {
      // The codec reads past the end of some truncated packets.
      return malformed(error instanceof RangeError ? 'truncated' : 'unreadable');
    }
    const packet = this.#packet as Packet | undefined;
    if (this.#error !== undefined) return malformed(this.#error, this.#error === UNKNOWN_VERSION);
    if (packet === undefined) return malformed('truncated');
    const fault = findFault(packet);
    return fault === undefined ? (packet as ClientPacket) : fault;
  }
}

function findFault(packet: Packet): MalformedPacket | undefined {
  switch (packet.cmd) {
    case 'connect':
      return checkConnect(packet);
    case 'publish':
      if (packet.qos === 0) return packet.dup ? malformed('[MQTT-3.3.1-2] DUP with QoS 0') : undefined;
      return checkPacketId(packet);
    case 'subscribe':
      if (packet.subscriptions.length === 0) return malformed('[MQTT-3.8.3-3] no topic filter');
      return checkPacketId(packet);
    case 'unsubscribe':
      if (packet.unsubscriptions.length === 0) return malformed('[MQTT-3.10.3-2] no topic filter');
      return checkPacketId(packet);
    case 'puback':
      return packet.length === 2 ? checkPacketId(packet) : malformed('PUBACK of another length than 2');
    case 'pingreq':
    case 'disconnect':
      return packet.length === 0 ? undefined : malformed(`${packet.cmd.toUpperCase()} with a body`);
    default:
      return malformed(`${packet.cmd.toUpperCase()} is nothing that a client of IoT Hub sends`);
  }
}

function checkConnect(packet: IConnectPacket): MalformedPacket | undefined {
  if (packet.protocolVersion !== 4 || packet.protocolId !== 'MQTT') return malformed('[MQTT-3.1.2-2] not MQTT 3.1.1', true);
  if (packet.password !== undefined && packet.username === undefined) return malformed('[MQTT-3.1.2-22] password without user name');
  if (packet.will !== undefined && (packet.will.qos ?? 0) > 2) return malformed('[MQTT-3.1.2-14] will QoS 3');
  const bytes = 10 + fieldBytes(packet.clientId) + fieldBytes(packet.will?.topic) + fieldBytes(packet.will?.payload)
    + fieldBytes(packet.username) + fieldBytes(packet.password);
  return bytes === packet.length ? undefined : malformed('CONNECT with bytes after its payload, or text that is no UTF-8');
}

function fieldBytes(field: string | Buffer | undefined): number {
  return field === undefined ? 0 : 2 + Buffer.byteLength(field);
}

function checkPacketId(packet: Packet): MalformedPacket | undefined {
  const id = packet.messageId ?? 0;
  return id >= 1 && id <= 65_535 ? undefined : malformed('[MQTT-2.3.1-1] packet identifier 0 or missing');
}

function malformed(fault: string, wrongVersion = false): MalformedPacket {
  return { cmd: 'malformed', fault, wrongVersion };
}
