/**
 * The MQTT 3.1.1 packets that the agent speaks: QoS 0 and 1, one direction each. A server never sends what only a
 * client may send, so what is decoded and what is encoded are two unions with PUBLISH and PUBACK in both.
 *
 * @see http://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html
 */

/** The agent publishes with 0 and 1 and subscribes for them, so no message to it has 2 [MQTT-3.8.4-6]. */
export type Qos = 0 | 1;

/** 1 to 65535 [MQTT-2.3.1-1]. */
export type PacketId = number;

export interface Will {
  readonly topic: string;
  /** At most 65535 bytes. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
}

export interface Connect {
  readonly type: 'connect';
  readonly clientId: string;
  readonly username: string;
  /** A SAS token; absent with a client certificate. */
  readonly password?: string | undefined;
  /** Clean session. */
  readonly clean: boolean;
  /** 0 to 65535; 0 turns keep-alive off. */
  readonly keepAliveSeconds: number;
  readonly will?: Will | undefined;
}

export interface Connack {
  readonly type: 'connack';
  readonly sessionPresent: boolean;
  /** 0 accepted; 1 protocol version, 2 client id, 3 unavailable, 4 user name or password, 5 not authorized; above 5 reserved. */
  readonly returnCode: number;
}

export interface Publish {
  readonly type: 'publish';
  readonly topic: string;
  /** Decoded: a view of the bytes given to `decode`. To be encoded: copied. May be empty. */
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly dup: boolean;
  readonly retain: boolean;
  /** Present exactly with QoS above 0. */
  readonly packetId?: PacketId | undefined;
}

export interface Puback {
  readonly type: 'puback';
  readonly packetId: PacketId;
}

export interface Subscription {
  readonly topic: string;
  readonly qos: Qos;
}

export interface Subscribe {
  readonly type: 'subscribe';
  readonly packetId: PacketId;
  readonly subscriptions: readonly Subscription[];
}

export interface Suback {
  readonly type: 'suback';
  readonly packetId: PacketId;
  /** One a subscription, in its order: 0, 1, 2 or `SUBSCRIPTION_REFUSED`. */
  readonly granted: readonly number[];
}

export interface Unsubscribe {
  readonly type: 'unsubscribe';
  readonly packetId: PacketId;
  readonly topics: readonly string[];
}

export interface Unsuback {
  readonly type: 'unsuback';
  readonly packetId: PacketId;
}

export interface Pingreq {
  readonly type: 'pingreq';
}

export interface Pingresp {
  readonly type: 'pingresp';
}

export interface Disconnect {
  readonly type: 'disconnect';
}

/** From the server. */
export type InboundPacket = Connack | Publish | Puback | Suback | Unsuback | Pingresp;

/** From the agent. */
export type OutboundPacket = Connect | Publish | Puback | Subscribe | Unsubscribe | Pingreq | Disconnect;

export type Packet = InboundPacket | OutboundPacket;

/** The SUBACK code of a refused subscription. */
export const SUBSCRIPTION_REFUSED = 0x80;
/** In one SUBSCRIBE or UNSUBSCRIBE; it bounds the SUBACK that is accepted. The agent has four. */
export const MAX_SUBSCRIPTIONS = 32;
/** A string or a will's payload, UTF-8. [MQTT 1.5.3] */
export const MAX_STRING_BYTES = 0xffff;
/** [MQTT 2.2.3] */
export const MAX_REMAINING_LENGTH = 268_435_455;

/** Whole packets to bytes and back; stateless between calls. */
export interface MqttCodec {
  /**
   * The bytes of one packet, in a new array of exactly its size: the caller's.
   * @throws RangeError, TypeError for a packet that MQTT cannot express: a fault of the caller.
   */
  encode(packet: OutboundPacket): Uint8Array;
  /**
   * The packet in `bytes`, which hold exactly one, fixed header included. A payload is a view of `bytes`.
   * @throws ERR_PROTOCOL when they do not.
   */
  decode(bytes: Uint8Array): InboundPacket;
}
