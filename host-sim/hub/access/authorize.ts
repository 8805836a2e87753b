import { resourceSegments, type Identity } from '../identity.ts';
import type { Registry } from '../registry/registry.ts';
import type { Resource } from './resource-scope.ts';
import { codeOfSasRefusal, describeSasRefusal } from './sas-refusals.ts';
import { verifySas, type Permission, type SasRefusal, type SignSas } from './sas.ts';
import type { KeyPair } from './symmetric-key.ts';

/** Whose tokens a hub takes no more; the names are those of the hub's properties in Azure. */
export interface DeniedSharedAccess {
  /** `disableLocalAuth`: tokens that a shared access policy signed. */
  readonly policies?: boolean;
  /** `disableDeviceSAS`: tokens that a device's own key signed. */
  readonly devices?: boolean;
  /** `disableModuleSAS`: tokens that a module's own key signed. */
  readonly modules?: boolean;
}

export interface AccessRequest {
  /** The token: MQTT's password, HTTP's `Authorization`, AMQP's claim. */
  readonly token: Uint8Array | string | undefined;
  /** What is asked for. */
  readonly resource: Resource;
  /** Parts of `resource` of which covering one is enough: a connection that can be used for less than all. */
  readonly parts?: readonly Resource[];
  /** A policy needs one of these. */
  readonly permissions: readonly Permission[];
  /** Who is to act: it must exist and be enabled, and its own keys sign as well. Without it only a policy's do. */
  readonly identity?: Identity;
}

export interface AccessGrant {
  readonly accepted: true;
  /** What the token covers: the resource that was asked for, or less where `parts` were given. */
  readonly scope: Resource;
  /** `se` of the token. */
  readonly expirySeconds: number;
  readonly key: 'primary' | 'secondary';
  /** The policy that signed; `undefined`: the identity's own key. */
  readonly policy: string | undefined;
}

export interface AccessDenial {
  readonly accepted: false;
  readonly reason: SasRefusal;
  /** HTTP's; other protocols have their own refusal. */
  readonly status: 401;
  /** IoT Hub's code, for events only: the peer is told nothing of it. */
  readonly code: number;
  /** The rule that the token breaks, for events. */
  readonly detail: string;
  readonly expirySeconds?: number;
}

export interface AccessContext {
  readonly registry: Registry;
  /** Verified with where nobody's key is known, so that the work is the same. */
  readonly dummyKeys: KeyPair;
  /** The hub's clock, milliseconds since 1970. */
  readonly nowMs: number;
  readonly denied?: DeniedSharedAccess;
  readonly sign?: SignSas;
}

/**
 * Decides, for every protocol, whether a token allows what is asked for. A denial costs the same work whether the
 * signer is unknown or the key wrong; its reason and code are for events, no peer sees them.
 * @see https://learn.microsoft.com/azure/iot-hub/authenticate-authorize-sas
 */
export function authorize(request: AccessRequest, context: AccessContext): AccessGrant | AccessDenial {
  const { registry, dummyKeys, nowMs } = context;
  const { token, resource, parts, permissions, identity } = request;
  const verdict = verifySas(
    {
      token,
      resource,
      ...(parts === undefined ? {} : { parts }),
      permissions,
      signers: identity === undefined ? 'policies' : 'policies-and-identity',
      keyring: {
        identity: identity === undefined ? undefined : registry.find(identity),
        policy: (name) => registry.findPolicy(name),
        dummyKeys,
      },
      nowSeconds: nowMs / 1000,
    },
    context.sign,
  );
  if (!verdict.accepted) return deny(verdict.reason, verdict.expirySeconds);
  // "SAS tokens granted to devices must be scoped to an individual device."
  const isOwn = verdict.policy === undefined && identity !== undefined;
  if (isOwn && verdict.scope.segments.length < resourceSegments(identity).length) return deny('resource-too-wide', verdict.expirySeconds);
  if (isDenied(verdict.policy, identity, context.denied)) return deny('shared-access-denied', verdict.expirySeconds);
  const { scope, expirySeconds, key, policy } = verdict;
  return { accepted: true, scope, expirySeconds, key, policy };
}

function isDenied(policy: string | undefined, identity: Identity | undefined, denied: DeniedSharedAccess = {}): boolean {
  if (policy !== undefined) return denied.policies === true;
  return identity?.moduleId === undefined ? denied.devices === true : denied.modules === true;
}

function deny(reason: SasRefusal, expirySeconds: number | undefined): AccessDenial {
  const denial: AccessDenial = { accepted: false, reason, status: 401, code: codeOfSasRefusal(reason), detail: describeSasRefusal(reason) };
  return expirySeconds === undefined ? denial : { ...denial, expirySeconds };
}
