import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { EventHubConsumerClient } from '@azure/event-hubs';
import { afterEach, expect, test } from '@jest/globals';
import { Registry } from 'azure-iothub';
import { trust } from './local-amqp.ts';
import { HubProgram } from './program.ts';

const programs: HubProgram[] = [];
const agents: Agent[] = [];

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await Promise.all(programs.splice(0).map((program) => program.stop()));
});

interface Started {
  readonly program: HubProgram;
  /** As a user points azure-iothub here: docs/hub.md. */
  registryOf(policy: string): Registry;
}

async function start(...args: readonly string[]): Promise<Started> {
  const program = new HubProgram(['--port', '0', '--show-secrets', ...args]);
  programs.push(program);
  const { https, rootFile } = await program.waitFor('started');
  await program.waitFor('policy', 5 + args.filter((arg) => arg === '--policy').length);
  const agent = new Agent({ host: '127.0.0.1', port: Number(String(https).split(':').at(-1)), servername: 'localhost', ca: readFileSync(String(rootFile)), keepAlive: true });
  agents.push(agent);
  return {
    program,
    registryOf: (policy) => {
      const line = program.lines.find((each) => each.event === 'policy' && each.policy === policy);
      const registry = Registry.fromConnectionString(String(line?.connectionString));
      (registry as unknown as { _restApiClient: { setOptions(options: object): void } })._restApiClient.setOptions({ http: { agent } });
      return registry;
    },
  };
}

test("Microsoft's service SDK uses the connection strings that the hub prints, each for what its policy allows", async () => {
  const { program, registryOf } = await start('--device', 'dev1', '--policy', 'ops=RegistryRead');
  const { responseBody } = (await registryOf('ops').list()) as unknown as { readonly responseBody: readonly { readonly deviceId: string }[] };
  expect(responseBody.map(({ deviceId }) => deviceId)).toEqual(['dev1']);
  await expect(registryOf('ops').create({ deviceId: 'dev2' })).rejects.toMatchObject({ name: 'UnauthorizedError' });
  await registryOf('registryReadWrite').create({ deviceId: 'dev2' });
  expect((await registryOf('service').getTwin('dev2')).responseBody.deviceId).toBe('dev2');
  expect(await program.waitFor('requestRefused')).toMatchObject({ method: 'PUT', route: '/devices/:deviceId', reason: 'permission-missing', code: 401_002 });
  expect(JSON.stringify(program.lines.filter(({ event }) => event !== 'policy' && event !== 'device'))).not.toMatch(/SharedAccessKey|Signature sr=/);
});

test("Microsoft's Event Hubs client reads the built-in endpoint by the connection string and the address that the hub prints", async () => {
  const { program } = await start('--policy', 'ops=RegistryRead');
  const lineOf = (policy: string): Readonly<Record<string, unknown>> | undefined => program.lines.find((each) => each.event === 'policy' && each.policy === policy);
  const { events, rootFile } = await program.waitFor('started');
  const client = new EventHubConsumerClient('$Default', String(lineOf('service')?.eventsConnectionString), { customEndpointAddress: String(events), retryOptions: { maxRetries: 0 } });
  trust(client, readFileSync(String(rootFile), 'utf8'));
  try {
    expect(await client.getEventHubProperties()).toMatchObject({ name: 'iothub-ehub-latchkey-hub', partitionIds: ['0', '1', '2', '3'] });
  } finally {
    await client.close();
  }
  expect(lineOf('ops')).not.toHaveProperty('eventsConnectionString');
});

test('a hub that denies shared access refuses the owner of all permissions', async () => {
  const { program, registryOf } = await start('--deny-shared-access');
  await expect(registryOf('iothubowner').list()).rejects.toMatchObject({ name: 'UnauthorizedError' });
  expect(await program.waitFor('requestRefused')).toMatchObject({ reason: 'shared-access-denied', code: 401_002 });
});

test('not on a terminal the hub masks the keys of its policies unless it is told otherwise', async () => {
  const program = new HubProgram(['--port', '0', '--policy', 'ops=ServiceConnect']);
  programs.push(program);
  await program.waitFor('started');
  await program.stop();
  expect(program.stderr.match(/SharedAccessKeyName=(\w+)/g)).toEqual(['iothubowner', 'iothubowner', 'ops', 'ops'].map((policy) => `SharedAccessKeyName=${policy}`));
  expect(program.stderr.match(/SharedAccessKey=[^;\n]*/g)?.every((part) => part === 'SharedAccessKey=***')).toBe(true);
});
