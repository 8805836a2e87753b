import type { Hub } from '../../hub.ts';
import { DEFAULT_LIMITS } from '../../limits.ts';
import { ServiceError } from '../../service-error.ts';
import { formatMessageHeaders, readMessageHeaders } from '../device-message.ts';
import { readTarget } from '../request-identity.ts';
import type { RestRequest, RestResponse, Route } from '../route.ts';

type DeviceHub = Pick<Hub, 'messages' | 'emit' | 'noteActivity'>;

/** A list of messages in one request, as azure-iot-device-http sends it. */
const BATCH_TYPE = 'application/vnd.microsoft.iothub.json';

/** No connection of MQTT, which are numbered from 1. */
const OVER_HTTPS = 0;

/** What a device does over HTTPS: it sends telemetry, and asks for messages that wait. @see https://learn.microsoft.com/rest/api/iothub/device */
export function deviceRoutes(hub: DeviceHub): readonly Route[] {
  const device = { deviceFacing: true, permissions: ['DeviceConnect'], bodyForm: 'bytes' } as const;
  const events = { ...device, method: 'POST', throttle: 'd2c-send', maxBodyBytes: DEFAULT_LIMITS.messageBytes, handle: (request: RestRequest) => send(hub, request) } as const;
  const bound = '/devices/:deviceId/messages/devicebound';
  const settle = (act: (request: RestRequest, lockToken: string) => void) => (request: RestRequest): RestResponse => {
    act(request, request.params.lockToken ?? '');
    return { status: 204 };
  };
  return [
    { ...events, path: '/devices/:deviceId/messages/events' },
    { ...events, path: '/devices/:deviceId/modules/:moduleId/messages/events', permissions: ['ModuleConnect', 'DeviceConnect'] },
    { ...device, method: 'GET', path: bound, handle: (request) => receive(hub, request) },
    { ...device, method: 'POST', path: `${bound}/:lockToken/abandon`, handle: settle((request, token) => hub.messages.abandon(readTarget(request), token)) },
    {
      ...device, method: 'DELETE', path: `${bound}/:lockToken`,
      handle: settle((request, token) => (request.query.has('reject') ? hub.messages.reject(readTarget(request), token) : hub.messages.complete(readTarget(request), token))),
    },
  ];
}

function send(hub: DeviceHub, request: RestRequest): RestResponse {
  if (request.headers['content-type']?.toLowerCase().startsWith(BATCH_TYPE) === true) {
    throw new ServiceError(415, 415_000, 'GenericUnsupportedMediaType', 'This hub takes one message in a request, no list of them.');
  }
  const payload = request.body as Buffer;
  const { system, application, bytes } = readMessageHeaders(request.headers, request.rawHeaders);
  if (payload.length + bytes > DEFAULT_LIMITS.messageBytes) throw new ServiceError(413, 413_001, 'MessageTooLarge', `A message has ${DEFAULT_LIMITS.messageBytes} bytes at most, its properties counted.`);
  const mid = system['$.mid'];
  hub.noteActivity(readTarget(request));
  hub.emit({
    event: 'messageReceived', connection: OVER_HTTPS, ...readTarget(request), qos: 1, dup: false, will: false, bytes: payload.length + bytes,
    properties: application, systemProperties: system, payload, ...(mid === undefined ? {} : { mid }),
  });
  return { status: 204 };
}

/** The oldest message, locked for a minute: the device settles it by its etag. */
function receive(hub: DeviceHub, request: RestRequest): RestResponse {
  const message = hub.messages.lock(readTarget(request), 'timed');
  if (message === undefined) return { status: 204 };
  hub.noteActivity(readTarget(request));
  return { status: 200, bytes: message.payload, headers: formatMessageHeaders(message) };
}
