import type { AgentConfig } from './config.ts';
import { clientIdOf } from './identity.ts';
import type { Connect } from './mqtt/packets.ts';

/** The newest of those that the documents of IoT Hub's MQTT endpoint name. */
const API_VERSION = '2021-04-12';

/** CONNECT as IoT Hub wants it; the session is kept, so that messages to the device wait while it is away. */
export function connectPacketOf({ identity, modelId, clientType, keepAliveSeconds }: AgentConfig, password: string): Connect {
  const clientId = clientIdOf(identity);
  const model = modelId === undefined ? '' : `&model-id=${encodeURIComponent(modelId)}`;
  const username = `${identity.hub}/${clientId}/?api-version=${API_VERSION}${model}&DeviceClientType=${encodeURIComponent(clientType)}`;
  return { type: 'connect', clientId, username, password, clean: false, keepAliveSeconds };
}
