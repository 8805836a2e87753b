import { resourceSegments, type Identity } from '../identity.ts';
import { covers, type Resource } from './resource-scope.ts';

/**
 * What a device or module can do at the hub, as the path behind its own resource, whatever the protocol.
 * @see https://learn.microsoft.com/azure/iot-hub/authenticate-authorize-sas "The device-facing endpoints are (irrespective of the protocol)"
 */
export type DeviceEndpoint = 'messages/events' | 'messages/devicebound' | 'twin' | 'methods/devicebound' | 'files';

const DEVICE_ENDPOINTS: readonly DeviceEndpoint[] = ['messages/events', 'messages/devicebound', 'twin', 'methods/devicebound', 'files'];

export function deviceResource(hubName: string, identity: Identity): Resource {
  return { host: hubName, segments: resourceSegments(identity) };
}

export function endpointResource(hubName: string, identity: Identity, endpoint: DeviceEndpoint): Resource {
  return { host: hubName, segments: [...resourceSegments(identity), ...endpoint.split('/')] };
}

export function endpointResources(hubName: string, identity: Identity): readonly Resource[] {
  return DEVICE_ENDPOINTS.map((endpoint) => endpointResource(hubName, identity, endpoint));
}

/** What a token of this scope opens for its bearer. */
export function coveredEndpoints(scope: Resource, identity: Identity): ReadonlySet<DeviceEndpoint> {
  return new Set(DEVICE_ENDPOINTS.filter((endpoint) => covers(scope, endpointResource(scope.host, identity, endpoint))));
}
