import { createHmac } from 'node:crypto';
import { encodeResource, formatSasToken } from '../../firmware/agent/sas-token.ts';

/** A shared access policy of a hub, as a service has it. */
export interface ServicePolicy {
  readonly name: string;
  /** Base64, as connection strings have it. */
  readonly key: string;
}

export interface TokenOptions {
  /** What it is for: `{host}` or `{host}/…` for IoT Hub, `sb://{host}/{entity}` for Event Hubs. */
  readonly resource: string;
  readonly policy: ServicePolicy;
  /** Whole seconds since 1970. */
  readonly expirySeconds: number;
  /** IoT Hub signs with the bytes that the key stands for, Event Hubs with its text. */
  readonly dialect: 'iot-hub' | 'event-hubs';
}

/** Signs a SAS token with a policy's key. */
export function createServiceToken({ resource, policy, expirySeconds, dialect }: TokenOptions): string {
  const encodedResource = encodeResource(resource);
  const key = Buffer.from(policy.key, dialect === 'iot-hub' ? 'base64' : 'utf8');
  const signature = createHmac('sha256', key).update(`${encodedResource}\n${expirySeconds}`).digest('base64');
  key.fill(0);
  return formatSasToken({ encodedResource, signature, expirySeconds, policyName: policy.name });
}
