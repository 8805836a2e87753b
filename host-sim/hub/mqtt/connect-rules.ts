import type { IConnectPacket } from 'mqtt-packet';
import { authorize, type AccessContext } from '../access/authorize.ts';
import { coveredEndpoints, deviceResource, endpointResources, type DeviceEndpoint } from '../access/device-endpoints.ts';
import type { Permission, SasRefusal } from '../access/sas.ts';
import { parseClientId, type Identity } from '../identity.ts';
import { decideWill, type Will } from './publish-rules.ts';

export type ConnectRefusal =
  | SasRefusal
  | 'protocol-version'
  | 'client-id-malformed'
  | 'user-name-missing'
  | 'user-name-not-matching'
  | 'hub-name-wrong'
  | 'api-version-missing'
  | 'will-not-allowed';

/** MQTT 3.1.1, table 3.1. IoT Hub tells nothing finer than 5 to who may not connect. */
export const CONNACK_ACCEPTED = 0;
export const CONNACK_PROTOCOL_VERSION = 1;
export const CONNACK_IDENTIFIER_REJECTED = 2;
export const CONNACK_NOT_AUTHORIZED = 5;

export interface ConnectGrant {
  readonly accepted: true;
  readonly identity: Identity;
  readonly expirySeconds: number;
  readonly key: 'primary' | 'secondary';
  readonly policy: string | undefined;
  /** What the token covers: all of them, or those that it names alone. */
  readonly endpoints: ReadonlySet<DeviceEndpoint>;
  readonly will: Will | undefined;
}

export interface ConnectDenial {
  readonly accepted: false;
  readonly reason: ConnectRefusal;
  readonly returnCode: number;
  /** IoT Hub's own code. */
  readonly code: number;
  readonly detail: string;
  readonly expirySeconds?: number;
}

export interface ConnectContext extends AccessContext {
  readonly hubName: string;
  readonly maxMessageBytes: number;
}

const DEVICE_PERMISSIONS: readonly Permission[] = ['DeviceConnect'];
const MODULE_PERMISSIONS: readonly Permission[] = ['ModuleConnect', 'DeviceConnect'];

/** What the long user name carries; older SDKs leave the question mark out. */
const API_VERSION = /^\??(?:[^&]*&)*?api-version=\d{4}-\d{2}-\d{2}(?:-preview)?(?:&|$)/;

/** Decides a CONNECT by the rules of IoT Hub: client id, user name, token, will, in this order. */
export function decideConnect(packet: IConnectPacket, context: ConnectContext): ConnectGrant | ConnectDenial {
  const identity = parseClientId(packet.clientId);
  if (identity === undefined) {
    // [MQTT-3.1.3-8]
    return deny('client-id-malformed', 'not {deviceId} or {deviceId}/{moduleId}', CONNACK_IDENTIFIER_REJECTED);
  }
  const userNameFault = checkUserName(packet.username, packet.clientId, context.hubName);
  if (userNameFault !== undefined) return userNameFault;

  const decision = authorize(
    {
      token: packet.password,
      resource: deviceResource(context.hubName, identity),
      parts: endpointResources(context.hubName, identity),
      permissions: identity.moduleId === undefined ? DEVICE_PERMISSIONS : MODULE_PERMISSIONS,
      identity,
    },
    context,
  );
  if (!decision.accepted) {
    const { status: _, ...why } = decision;
    return { ...why, returnCode: CONNACK_NOT_AUTHORIZED };
  }
  const endpoints = coveredEndpoints(decision.scope, identity);
  const will = decideWill(packet.will, identity, context.maxMessageBytes);
  if (will === 'not-allowed' || (will !== undefined && !endpoints.has('messages/events'))) {
    return deny('will-not-allowed', "the will's topic must be the telemetry topic, its QoS at most 1, and the token must cover it");
  }
  const { expirySeconds, key, policy } = decision;
  return { accepted: true, identity, expirySeconds, key, policy, endpoints, will };
}

/** `{hub}/{clientId}`, or with `/?api-version=…` behind it. */
function checkUserName(userName: string | undefined, clientId: string, hubName: string): ConnectDenial | undefined {
  if (userName === undefined || userName === '') return deny('user-name-missing', 'expected {hub}/{clientId}/?api-version=…');
  const slash = userName.indexOf('/');
  if (slash < 0) return deny('user-name-not-matching', 'expected {hub}/{clientId}/?api-version=…');
  const host = userName.slice(0, slash);
  if (host.toLowerCase() !== hubName.toLowerCase()) return deny('hub-name-wrong', `this hub is ${hubName}`);
  const rest = userName.slice(slash + 1);
  if (rest === clientId) return undefined;
  if (!rest.startsWith(`${clientId}/`)) return deny('user-name-not-matching', 'the user name names another client id');
  if (!API_VERSION.test(rest.slice(clientId.length + 1))) return deny('api-version-missing', 'expected /?api-version=2021-04-12 at the end');
  return undefined;
}

function deny(reason: ConnectRefusal, detail: string, returnCode: number = CONNACK_NOT_AUTHORIZED): ConnectDenial {
  return { accepted: false, reason, returnCode, code: codeOf(reason), detail };
}

/** IoT Hub's codes, as its diagnostic log has them; those of a token are `codeOfSasRefusal`'s. @see https://learn.microsoft.com/azure/iot-hub/troubleshoot-error-codes */
function codeOf(reason: ConnectRefusal): number {
  switch (reason) {
    case 'protocol-version':
      return 400_001;
    case 'client-id-malformed':
    case 'api-version-missing':
    case 'will-not-allowed':
      return 400_004;
    default:
      return 401_003;
  }
}
