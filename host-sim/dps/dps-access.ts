import type { IConnectPacket } from 'mqtt-packet';
import { verifySas } from '../hub/access/sas.ts';
import { describeSasRefusal } from '../hub/access/sas-refusals.ts';
import type { KeyPair } from '../hub/access/symmetric-key.ts';
import { isRegistrationId, type Enrolments, type MatchedEnrolment } from './enrolments.ts';

/** `skn` of a registration's token. */
const POLICY_NAME = 'registration';
/** MQTT 3.1.1, table 3.1. */
const BAD_IDENTIFIER = 2;
const NOT_AUTHORIZED = 5;
/** DPS: "Unauthorized". */
export const CODE_UNAUTHORIZED = 401_002;

export interface DpsAccess {
  readonly idScope: string;
  readonly enrolments: Enrolments;
  /** Verified with where there is no enrolment, so that the work is the same. */
  readonly dummyKeys: KeyPair;
  readonly nowMs: number;
}

/** A CONNECT is refused only for its form; whether its token is good shows at the registration, as at DPS. */
export type DpsConnect =
  | { readonly accepted: true; readonly registrationId: string; readonly enrolment: MatchedEnrolment | undefined; readonly expirySeconds: number; readonly detail: string }
  | { readonly accepted: false; readonly returnCode: number; readonly detail: string };

const USER_NAME = /^([^/]{1,64})\/registrations\/([^/]{1,128})\/\??(?:[^&]*&)*?api-version=\d{4}-\d{2}-\d{2}(?:-preview)?(?:&|$)/;

/** @see https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-dps */
export function decideDpsConnect(packet: IConnectPacket, access: DpsAccess): DpsConnect {
  const refuse = (detail: string, returnCode: number = NOT_AUTHORIZED): DpsConnect => ({ accepted: false, returnCode, detail });
  const { clientId: registrationId } = packet;
  if (!isRegistrationId(registrationId)) return refuse('the client id is no registration id', BAD_IDENTIFIER);
  const [, scope, named] = USER_NAME.exec(packet.username ?? '') ?? [];
  if (scope === undefined) return refuse('expected the user name {idScope}/registrations/{registrationId}/api-version=…');
  if (scope !== access.idScope) return refuse(`this service has the ID scope ${access.idScope}`);
  if (named !== registrationId) return refuse('user name and client id name different registrations');
  return { accepted: true, registrationId, ...findEnrolment(packet.password, registrationId, access) };
}

/** The enrolment whose key signed the token, by the hub's own rules. */
function findEnrolment(token: Uint8Array | string | undefined, registrationId: string, access: DpsAccess): { enrolment: MatchedEnrolment | undefined; expirySeconds: number; detail: string } {
  const { idScope, enrolments, dummyKeys, nowMs } = access;
  const resource = { host: idScope, segments: ['registrations', registrationId] };
  const candidates = enrolments.candidates(registrationId);
  let detail = 'there is no enrolment for this registration';
  for (const enrolment of candidates.length === 0 ? [undefined] : candidates) {
    const policy = enrolment && { keys: enrolment.keys, permissions: ['DeviceConnect' as const] };
    const keyring = { identity: undefined, dummyKeys, policy: (name: string) => (name === POLICY_NAME ? policy : undefined) };
    const verdict = verifySas({ token, resource, permissions: ['DeviceConnect'], signers: 'policies', keyring, nowSeconds: nowMs / 1000 });
    const isExact = verdict.accepted && verdict.scope.segments.length === resource.segments.length;
    if (isExact) return { enrolment, expirySeconds: verdict.expirySeconds, detail: '' };
    if (enrolment !== undefined) detail = verdict.accepted ? 'sr must name the registration' : describeSasRefusal(verdict.reason);
  }
  return { enrolment: undefined, expirySeconds: 0, detail };
}
