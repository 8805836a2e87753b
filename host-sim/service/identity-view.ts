import { formatConnectionString } from '../terminal/connection-string.ts';
import type { HubPlace } from './hub-place.ts';

/** What is shown in place of a key. */
export const HIDDEN = '***';

export interface IdentityNames {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** An identity as a hub's registry describes it. */
export interface RegistryIdentity extends IdentityNames {
  readonly authentication?: { readonly symmetricKey?: Readonly<Record<string, string | null>> | null };
}

/** Puts `***` in the place of keys. Members that the SDK sets but does not send stay as they are. */
export function maskKeys<T extends RegistryIdentity>(identity: T): T {
  const { authentication } = identity;
  const keys = authentication?.symmetricKey;
  if (authentication === undefined || keys === undefined || keys === null) return identity;
  const masked = Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, key === null || key === '' ? key : HIDDEN]));
  return { ...identity, authentication: { ...authentication, symmetricKey: masked } };
}

/** The primary key; `undefined` for an identity with certificates. */
export function primaryKeyOf({ authentication }: RegistryIdentity): string | undefined {
  return authentication?.symmetricKey?.['primaryKey'] ?? undefined;
}

/** What a device connects with; a hub on this machine is its own gateway. */
export function deviceConnectionString(hubName: string, { deviceId, moduleId }: IdentityNames, key: string, place: HubPlace | undefined): string {
  return formatConnectionString({
    HostName: hubName,
    DeviceId: deviceId,
    ...(moduleId === undefined ? {} : { ModuleId: moduleId }),
    SharedAccessKey: key,
    ...(place === undefined ? {} : { GatewayHostName: `localhost:${place.mqttPort}` }),
  });
}
