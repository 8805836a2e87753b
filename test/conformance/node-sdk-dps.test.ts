import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { MqttBase } from 'azure-iot-mqtt-base';
import { ProvisioningDeviceClient, type RegistrationResult } from 'azure-iot-provisioning-device';
import { Mqtt as ProvisioningMqtt } from 'azure-iot-provisioning-device-mqtt';
import { SymmetricKeySecurityClient } from 'azure-iot-security-symmetric-key';
import { Dps } from '../../host-sim/dps/dps.ts';
import { generateKeyPair, type KeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from './local-hub.ts';

const ID_SCOPE = '0ne0000C0DE';

let local: LocalHub;
let dps: Dps;
let port = 0;
let passed = 0;
const group = generateKeyPair();
const single = generateKeyPair();

beforeAll(async () => {
  local = await openLocalHub();
  // The SDK polls once a second at best: a registration that is done before its first question costs one second, not four.
  dps = new Dps({ idScope: ID_SCOPE, clock: realClock, hubs: [local.hub], emit: (event) => local.hub.emit(event), assigningMs: 100, retryAfterSeconds: 1 });
  port = (await dps.listen({ port: 0, tls: { certificateChain: local.pki.serverChainPem, privateKey: local.pki.server.privateKeyPem } })).port;
  dps.enrolments.set({ id: 'fleet', type: 'group', keys: group });
  dps.enrolments.set({ id: 'single', type: 'individual', keys: single, deviceId: 'single-device' });
  dps.enrolments.set({ id: 'off', type: 'individual', keys: single, enabled: false });
  dps.enrolments.set({ id: 'lost', type: 'individual', keys: single, hubName: 'nobody.azure-devices.net' });
});

afterAll(async () => {
  await dps.close();
  await local.close();
  recordEvidence('node-sdk-dps', passed);
});

const base64 = (key: Uint8Array): string => Buffer.from(key).toString('base64');

/** As the documents say how a device key is made of a group's. */
const derive = ({ primary }: KeyPair, registrationId: string): string => createHmac('sha256', Buffer.from(base64(primary), 'base64')).update(registrationId, 'utf8').digest('base64');

/** Microsoft's own client. */
async function register(registrationId: string, key: string, scope = ID_SCOPE): Promise<RegistrationResult> {
  const base = new MqttBase();
  base.setOptions({ ca: local.pki.root.certificatePem });
  // Each of Microsoft's packages brings a copy of its base along: the same code, another type.
  const transport = new ProvisioningMqtt(base as unknown as ConstructorParameters<typeof ProvisioningMqtt>[0]);
  const security = new SymmetricKeySecurityClient(registrationId, key) as unknown as Parameters<typeof ProvisioningDeviceClient.create>[3];
  const client = ProvisioningDeviceClient.create(`localhost:${port}`, scope, transport, security);
  client.setProvisioningPayload({ modelId: 'dtmi:com:example:Thermostat;1' });
  return (await client.register()) as RegistrationResult;
}

/** …and its device client at the hub that was assigned. */
async function connect({ assignedHub, deviceId }: RegistrationResult, key: string): Promise<void> {
  const client = Client.fromConnectionString(`HostName=${assignedHub};DeviceId=${deviceId};SharedAccessKey=${key};GatewayHostName=localhost:${local.port}`, Mqtt);
  await client.setOptions({ ca: local.pki.root.certificatePem });
  await client.open();
  await local.waitFor('connected', (event) => event.deviceId === deviceId);
  await client.close();
}

test.each([
  { what: 'by a group with a derived key', id: 'board-7', deviceId: 'board-7', key: () => derive(group, 'board-7') },
  { what: 'by an individual enrolment that names another device id', id: 'single', deviceId: 'single-device', key: () => base64(single.secondary) },
])("Microsoft's provisioning client registers $what, and its device client connects to the hub that was assigned with the same key", async ({ id, deviceId, key }) => {
  const result = await register(id, key());
  expect(result).toMatchObject({ assignedHub: HUB_NAME, deviceId, registrationId: id, status: 'assigned', substatus: 'initialAssignment' });
  expect(local.eventsOf('dpsRegistering').at(-1)).toMatchObject({ registrationId: id, modelId: 'dtmi:com:example:Thermostat;1' });
  await connect(result, key());
  // Again: the same place, the same keys.
  expect(await register(id, key())).toMatchObject({ assignedHub: HUB_NAME, deviceId });
  await connect(result, key());
  passed += 1;
});

test.each([
  { what: 'the key of another device of the group', id: 'board-8', key: () => derive(group, 'board-9'), error: { name: 'UnauthorizedError' } },
  { what: 'the group key itself', id: 'board-8', key: () => base64(group.primary), error: { name: 'UnauthorizedError' } },
  { what: "the group's key for a device with an enrolment of its own", id: 'single', key: () => derive(group, 'single'), error: { name: 'UnauthorizedError' } },
  { what: 'an ID scope that is not the service\'s', id: 'board-8', key: () => derive(group, 'board-8'), scope: '0ne0000BEEF', error: { message: 'Connection refused: Not authorized' } },
])("Microsoft's provisioning client hears that $what is not authorized", async ({ id, key, scope, error }) => {
  await expect(register(id, key(), scope)).rejects.toMatchObject(error);
  expect(local.eventsOf('dpsRefused').at(-1)).toMatchObject({ registrationId: id, code: 401_002 });
  expect(local.hub.registry.find({ deviceId: 'board-8' })).toBeUndefined();
  passed += 1;
});

test.each([
  { what: 'disabled', id: 'off' },
  { what: 'for a hub that is not linked', id: 'lost' },
])("Microsoft's provisioning client hears that an enrolment is $what", async ({ id }) => {
  await expect(register(id, base64(single.primary))).rejects.toThrow();
  expect(local.eventsOf('dpsFailed').at(-1)).toMatchObject({ registrationId: id });
  passed += 1;
});
