import type { DpsEvent } from '../dps/dps-events.ts';
import type { AmqpEvent } from './amqp/amqp-events.ts';
import type { ConfigurationEvent } from './configurations/configuration-events.ts';
import type { FaultEvent } from './faults/fault-events.ts';
import type { Identity } from './identity.ts';
import type { MessageEvent } from './messages/message-events.ts';
import type { MethodEvent } from './methods/method-events.ts';
import type { ConnectRefusal } from './mqtt/connect-rules.ts';
import type { DeliveryEvent } from './mqtt/delivery-events.ts';
import type { RestEvent } from './rest/rest-events.ts';
import type { TwinEvent } from './twins/twin-events.ts';

/** Why a connection of a client ended. */
export type DisconnectReason =
  | 'client-disconnected'
  | 'connection-lost'
  | 'evicted'
  | 'refused'
  | 'token-expired'
  | 'identity-disabled'
  | 'identity-removed'
  | 'keep-alive-elapsed'
  | 'connect-timeout'
  | 'packet-malformed'
  | 'packet-too-large'
  | 'first-packet-not-connect'
  | 'second-connect'
  | 'qos-2'
  | 'topic-not-allowed'
  | 'endpoint-not-covered'
  | 'throttled'
  | 'properties-malformed'
  | 'message-too-large'
  | 'client-does-not-read'
  | 'dropped'
  | 'hub-closed'
  /** An exception in the hub itself; `detail` is its message. */
  | 'hub-fault';

/** One connection, numbered from 1 in the order of `connectionOpened`; 0 is a message over HTTPS. */
interface OfConnection {
  readonly connection: number;
}

interface OfIdentity extends OfConnection, Identity {}

/** What happened at the hub; no event holds a key, a token or a signature. */
export type HubEventBody =
  | TwinEvent
  | MethodEvent
  | ConfigurationEvent
  | DeliveryEvent
  | RestEvent
  | AmqpEvent
  | DpsEvent
  | MessageEvent
  | FaultEvent
  | { readonly event: 'listening'; readonly service: 'mqtt' | 'https' | 'amqp' | 'date' | 'ntp' | 'dps'; readonly address: string; readonly port: number }
  | { readonly event: 'tlsFailed'; readonly peer: string; readonly code: string; readonly detail: string }
  | { readonly event: 'connectionRejected'; readonly peer: string; readonly limit: number }
  | ({ readonly event: 'connectionOpened'; readonly peer: string } & OfConnection)
  /** A CONNECT has come; nothing of it is verified. */
  | ({
      readonly event: 'connectReceived';
      readonly clientId: string;
      readonly cleanSession: boolean;
      readonly keepAliveSeconds: number;
      /** Digest of the password. */
      readonly token?: string;
    } & OfConnection)
  | ({
      readonly event: 'connected';
      readonly token: string;
      /** `se` of the token. */
      readonly expirySeconds: number;
      readonly key: 'primary' | 'secondary';
      /** The shared access policy that signed, when it was not the identity's own key. */
      readonly policy?: string;
      readonly sessionPresent: boolean;
      /** The Plug and Play model that it announced. */
      readonly modelId?: string;
    } & OfIdentity)
  | ({
      readonly event: 'refused';
      readonly clientId: string;
      readonly reason: ConnectRefusal;
      /** IoT Hub's error code for it. */
      readonly code: number;
      readonly detail: string;
      readonly token?: string;
      /** `se` of the token, where it could be read. */
      readonly expirySeconds?: number;
    } & OfConnection)
  | ({
      readonly event: 'messageReceived';
      /** `$.mid`. */
      readonly mid?: string;
      readonly qos: 0 | 1;
      readonly dup: boolean;
      /** The will of a client that left without DISCONNECT. */
      readonly will: boolean;
      /** Body and properties, as IoT Hub counts a message. */
      readonly bytes: number;
      readonly properties: Readonly<Record<string, string>>;
      readonly systemProperties: Readonly<Record<string, string>>;
      /** Not copied: do not change it. */
      readonly payload: Uint8Array;
    } & OfIdentity)
  | ({ readonly event: 'subscribed'; readonly filter: string; readonly grantedQos: 0 | 1 | 128 } & OfIdentity)
  | ({ readonly event: 'unsubscribed'; readonly filter: string } & OfIdentity)
  | ({ readonly event: 'evicted'; readonly code: 400027; readonly by: number } & OfIdentity)
  | ({ readonly event: 'expired'; readonly expirySeconds: number; readonly graceMs: number } & OfIdentity)
  | ({
      readonly event: 'disconnected';
      readonly reason: DisconnectReason;
      readonly detail?: string;
      readonly deviceId?: string;
      readonly moduleId?: string;
    } & OfConnection)
  | { readonly event: 'registryChanged'; readonly change: string; readonly deviceId?: string; readonly moduleId?: string; readonly policy?: string }
  | { readonly event: 'clockShifted'; readonly offsetMs: number }
  | { readonly event: 'stateSaved'; readonly path: string }
  | { readonly event: 'stateNotSaved'; readonly path: string; readonly code: string; readonly detail: string; readonly remedy: string };

export type HubEvent = HubEventBody & {
  /** Milliseconds since 1970 by the clock that the hub was given, without the offset of a fault. */
  readonly at: number;
  /** The same moment on a clock that never goes back. */
  readonly monotonicMs: number;
};

export type HubEventName = HubEvent['event'];
