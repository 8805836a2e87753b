import { createHmac } from 'node:crypto';
import { authorize, type AccessContext } from '../access/authorize.ts';
import type { SignSas } from '../access/sas.ts';
import type { AuthorizeToken } from './claims.ts';

/** Of resources of the built-in events endpoint, as `parseResource` reads `sb://host/…`. */
const EVENT_HUBS_HOST = 'sb:';

/** Event Hubs clients sign with the base64 text of a key, IoT Hub's with the bytes that it stands for. */
const signAsEventHubs: SignSas = (key, stringToSign) => {
  const text = Buffer.from(Buffer.from(key).toString('base64'), 'latin1');
  const signature = createHmac('sha256', text).update(stringToSign).digest('base64');
  text.fill(0);
  return signature;
};

/** Verifies tokens of services: a policy with ServiceConnect must have signed. */
export function createTokenAuthorizer(context: () => AccessContext): AuthorizeToken {
  return (token, resource) => {
    const request = { token, resource, permissions: ['ServiceConnect'] } as const;
    return authorize(request, resource.host === EVENT_HUBS_HOST ? { ...context(), sign: signAsEventHubs } : context());
  };
}
