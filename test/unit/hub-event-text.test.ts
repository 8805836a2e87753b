import { expect, test } from '@jest/globals';
import { describeHubEvent, toJsonEvent } from '../../host-sim/hub/event-text.ts';
import type { HubEvent, HubEventBody } from '../../host-sim/hub/events.ts';

const stamp = (body: HubEventBody): HubEvent => ({ ...body, at: 1_800_000_000_000.4, monotonicMs: 12.6 }) as HubEvent;
const message = (payload: Uint8Array): HubEvent => stamp({
  event: 'messageReceived', connection: 1, deviceId: 'dev1', mid: 'm', qos: 1, dup: false, will: false, bytes: 2, properties: { a: '1' }, systemProperties: {}, payload,
});

test('JSON of an event has whole milliseconds and the payload as text, or as base64 when it is no text', () => {
  expect(toJsonEvent(stamp({ event: 'clockShifted', offsetMs: 5 }))).toEqual({ event: 'clockShifted', offsetMs: 5, at: 1_800_000_000_000, monotonicMs: 13 });
  expect(toJsonEvent(message(Buffer.from('ä"\n')))).toMatchObject({ payload: 'ä"\n' });
  const binary = toJsonEvent(message(Buffer.from([0xff, 0x00])));
  expect(binary).toMatchObject({ payloadBase64: '/wA=' });
  expect(binary).not.toHaveProperty('payload');
});

test.each<[body: HubEventBody, line: object | undefined]>([
  [{ event: 'connected', connection: 1, deviceId: 'dev1', token: 't', expirySeconds: 1_900_000_000, key: 'primary', sessionPresent: false }, { who: 'dev1', text: 'connected with its primary key, token until 2030-03-17T17:46:40Z', tone: 'good' }],
  [{ event: 'connected', connection: 1, deviceId: 'dev1', moduleId: 'm', token: 't', expirySeconds: 999_999_999_999, key: 'secondary', policy: 'device', sessionPresent: false }, { who: 'dev1/m', text: "connected with its device policy's secondary key, token until +033658-09-27T01:46:39Z", tone: 'good' }],
  [{ event: 'refused', connection: 1, clientId: 'dev1\u001b[2J', reason: 'signature-wrong', code: 401_003, detail: 'neither key made this signature' }, { who: 'dev1?[2J', text: 'refused: neither key made this signature (signature-wrong, 401003)', tone: 'bad' }],
  [{ event: 'disconnected', connection: 7, reason: 'connect-timeout' }, { who: '#7', text: 'disconnected: connect-timeout', tone: 'warning' }],
  [{ event: 'disconnected', connection: 7, deviceId: 'dev1', reason: 'connection-lost', detail: 'ECONNRESET' }, { who: 'dev1', text: 'disconnected: connection-lost (ECONNRESET)', tone: 'warning' }],
  [{ event: 'disconnected', connection: 7, deviceId: 'dev1', reason: 'evicted' }, undefined],
  [{ event: 'subscribed', connection: 1, deviceId: 'dev1', filter: 'a\nb', grantedQos: 128 }, { who: 'dev1', text: 'may not subscribe to a?b', tone: 'warning' }],
  [
    { event: 'tlsFailed', peer: '127.0.0.1:5', code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', detail: '80:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:rec_layer_s3.c:1601:SSL alert number 48\n' },
    { who: '127.0.0.1:5', text: 'TLS failed: the client does not trust the root of this certificate (ERR_SSL_TLSV1_ALERT_UNKNOWN_CA)', tone: 'warning' },
  ],
  [
    { event: 'tlsFailed', peer: '127.0.0.1:5', code: 'ERR_SSL_BAD_KEY_SHARE', detail: '80:error:0A00006C:SSL routines:tls_parse_ctos_key_share:bad key share:extensions_srvr.c:646:\n' },
    { who: '127.0.0.1:5', text: 'TLS failed: bad key share (ERR_SSL_BAD_KEY_SHARE)', tone: 'warning' },
  ],
  [{ event: 'tlsFailed', peer: '127.0.0.1:5', code: 'ERR_TLS', detail: 'socket hang up' }, { who: '127.0.0.1:5', text: 'TLS failed: socket hang up (ERR_TLS)', tone: 'warning' }],
  [{ event: 'stateNotSaved', path: 'x', code: 'ERR_STATE_WRITE', detail: 'cannot save x', remedy: 'free some space' }, { who: 'state', text: 'cannot save x; free some space', tone: 'bad' }],
  [{ event: 'listening', service: 'mqtt', address: '127.0.0.1', port: 1 }, undefined],
])('a line for people about %j', (body, line) => {
  expect(describeHubEvent(stamp(body))).toEqual(line);
});
