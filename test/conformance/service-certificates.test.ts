import { Agent } from 'node:https';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { EventHubConsumerClient } from '@azure/event-hubs';
import { NoRetry } from 'azure-iot-common';
import { Client, Registry } from 'azure-iothub';
import { FAULT_CERTIFICATES, type FaultCertificate, type FaultEndpoint } from '../../host-sim/hub/faults/fault.ts';
import { recordEvidence } from '../evidence.ts';
import { startHub, type HubInProcess } from './hub-in-process.ts';
import { redirect, trust } from './local-amqp.ts';

/** The fault `certificate` at the endpoints of services: Microsoft's clients refuse what they are shown, and are served again when it is over. */

let hub: HubInProcess;
let passed = 0;

beforeAll(async () => {
  hub = await startHub();
});

afterEach(() => latchkey('faults', 'clear'));

afterAll(async () => {
  await hub.stop();
  recordEvidence('service-certificates', passed);
});

/** Each by OpenSSL's or Node's name for what is wrong with the chain. */
const REFUSALS: Readonly<Record<FaultCertificate, RegExp>> = {
  stranger: /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|self-signed certificate|unable to (?:get|verify)/,
  expired: /CERT_HAS_EXPIRED|certificate has expired/,
  'wrong-host': /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/,
};

async function latchkey(...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await hub.latchkey([...args, '--json']);
  expect([exitCode, stderr]).toEqual([0, '']);
}

/** What an error says, and those that it wraps. */
function textOf(error: unknown, depth = 4): string {
  // Node's own errors are of another realm than a test's.
  if (typeof error !== 'object' || error === null || depth === 0) return '';
  const { name, message, code, innerError, amqpError, cause } = error as Readonly<Record<string, unknown>>;
  return [name, message, code, ...[innerError, amqpError, cause].map((inner) => textOf(inner, depth - 1))].join(' ').trim();
}

const outcomeOf = (attempt: Promise<unknown>): Promise<string> => attempt.then(() => 'served', (error) => textOf(error));

/** @param attempt makes a client of its own: one that is connected sees no certificate */
async function expectRefusals(endpoint: FaultEndpoint, attempt: () => Promise<unknown>, refusals: (certificate: FaultCertificate) => RegExp = (certificate) => REFUSALS[certificate]): Promise<void> {
  expect(await outcomeOf(attempt())).toBe('served');
  for (const certificate of FAULT_CERTIFICATES) {
    await latchkey('faults', 'set', 'certificate', '--certificate', certificate, '--endpoint', endpoint);
    expect(await outcomeOf(attempt())).toMatch(refusals(certificate));
  }
  // The other endpoints are as ever.
  if (endpoint === 'amqp') await latchkey('device', 'list');
  await latchkey('faults', 'clear');
  expect(await outcomeOf(attempt())).toBe('served');
  passed += 1;
}

test('azure-iothub over HTTPS refuses another certificate, each kind for what is wrong with it', () =>
  expectRefusals('https', async () => {
    const agent = new Agent({ host: '127.0.0.1', port: hub.place.httpsPort, servername: 'localhost', ca: hub.ca });
    const registry = Registry.fromConnectionString(hub.place.serviceConnectionString);
    (registry as unknown as { _restApiClient: { setOptions(options: object): void } })._restApiClient.setOptions({ http: { agent } });
    try {
      await registry.list();
    } finally {
      agent.destroy();
    }
  }));

test('azure-iothub over AMQP refuses another certificate', () =>
  // Its library tells that there is no connection, and not why.
  expectRefusals('amqp', async () => {
    const client = Client.fromConnectionString(hub.place.serviceConnectionString);
    client.setRetryPolicy(new NoRetry());
    redirect(client, { uri: `amqps://localhost:${hub.place.amqpPort}`, ca: hub.ca, hostname: hub.place.hubName });
    try {
      await client.open();
    } finally {
      await client.close().catch(() => {});
    }
  }, () => /^NotConnectedError /));

test('@azure/event-hubs refuses another certificate, each kind for what is wrong with it', () =>
  expectRefusals('all', async () => {
    const [, key = ''] = /SharedAccessKey=([^;]+)/.exec(hub.place.serviceConnectionString) ?? [];
    const endpoint = `Endpoint=sb://${hub.place.hubName}/;SharedAccessKeyName=iothubowner;SharedAccessKey=${key};EntityPath=iothub-ehub-${hub.place.hubName.split('.')[0]}`;
    const client = new EventHubConsumerClient('$Default', endpoint, { customEndpointAddress: `sb://localhost:${hub.place.amqpPort}`, retryOptions: { maxRetries: 0 } });
    trust(client, hub.ca);
    try {
      await client.getPartitionIds();
    } finally {
      await client.close();
    }
  }));
