import { SharedAccessSignature } from 'azure-iot-common';
import { encodeKey } from '../../../host-sim/hub/access/symmetric-key.ts';

export interface TokenParts {
  /** The resource, not encoded. */
  readonly scope: string;
  readonly key: Uint8Array;
  readonly policy?: string;
  readonly expirySeconds: number;
}

/** Signed by Microsoft's SDK, which leaves the encoding of the resource to its caller. */
export function signToken({ scope, key, policy = '', expirySeconds }: TokenParts): string {
  return SharedAccessSignature.create(encodeURIComponent(scope), policy, encodeKey(key), expirySeconds).toString();
}
