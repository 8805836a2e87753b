import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Registry, Twin } from 'azure-iothub';

import { recordEvidence } from '../evidence.ts';
import { openLocalService, type LocalService } from './local-service.ts';

let local: LocalService;
const DEVICES = 250;
const name = (index: number): string => `dev${String(index).padStart(3, '0')}`;

beforeAll(async () => {
  local = await openLocalService();
  for (let index = 0; index < DEVICES; index++) {
    local.hub.registry.add({ deviceId: name(index) });
    local.hub.twins.patch({ deviceId: name(index) }, { tags: { location: { region: index % 2 === 0 ? 'US' : 'DE' } } });
  }
  local.hub.registry.add({ deviceId: name(7), moduleId: 'camera' });
  local.hub.twins.report({ deviceId: name(7), moduleId: 'camera' }, { status: 'scanning' });
});

afterAll(() => local.close());

type Query = ReturnType<Registry['createQuery']>;

const query = (text: string, pageSize?: number, policy = 'service'): Query => local.registryOf(policy).createQuery(text, pageSize);

async function readPages(text: string, pageSize?: number): Promise<readonly (readonly Twin[])[]> {
  const asked = query(text, pageSize);
  const pages: Twin[][] = [];
  while (asked.hasMoreResults) pages.push((await asked.nextAsTwin()).result as unknown as Twin[]);
  return pages;
}

test("Microsoft's service SDK pages through all twins, each once", async () => {
  const pages = await readPages('SELECT * FROM devices');
  expect(pages.map(({ length }) => length)).toEqual([100, 100, 50]);
  expect(pages.flat().map(({ deviceId }) => deviceId)).toEqual(Array.from({ length: DEVICES }, (_, index) => name(index)));
  expect((await readPages('SELECT * FROM devices', 1000)).map(({ length }) => length)).toEqual([DEVICES]);
  recordEvidence('query-sdk-rows', pages.flat().length);
});

test('a twin that a query found is a twin that the SDK knows', async () => {
  const [[twin]] = (await readPages("SELECT * FROM devices WHERE deviceId = 'dev003'")) as [[Twin]];
  expect(twin).toMatchObject({
    deviceId: 'dev003', status: 'enabled', connectionState: 'Disconnected', tags: { location: { region: 'DE' } }, configurations: {},
    properties: { desired: { $version: 1 }, reported: { $version: 1 } },
  });
  expect(twin.etag).toMatch(/^[A-Za-z0-9+/]+=*$/);
});

test('conditions, projections, aggregates and modules come as rows', async () => {
  const rows = async (text: string): Promise<unknown> => ((await query(text).next()) as unknown as { result: unknown }).result;
  expect(await rows("SELECT COUNT() AS total FROM devices WHERE tags.location.region = 'US'")).toEqual([{ total: 125 }]);
  expect(await rows('SELECT tags.location.region AS region, COUNT() AS n FROM devices GROUP BY tags.location.region')).toEqual([
    { region: 'US', n: 125 },
    { region: 'DE', n: 125 },
  ]);
  expect(await rows("SELECT deviceId, moduleId FROM devices.modules WHERE properties.reported.status = 'scanning'")).toEqual([{ deviceId: 'dev007', moduleId: 'camera' }]);
  expect(await rows('SELECT TOP 2 deviceId FROM devices')).toEqual([{ deviceId: 'dev000' }, { deviceId: 'dev001' }]);
});

test('a wrong query is an ArgumentError with its place and the remedy', async () => {
  await expect(query('SELECT * FROM twins').next()).rejects.toMatchObject({ name: 'ArgumentError', responseBody: expect.stringContaining('no collection \\"twins\\" at character 15') });
  await expect(query('SELECT * FROM devices', 1001).next()).rejects.toMatchObject({ name: 'ArgumentError', responseBody: expect.stringContaining('x-ms-max-item-count must be a whole number from 1 to 1000') });
});

test('a policy without ServiceConnect may not ask', async () => {
  await expect(query('SELECT * FROM devices', undefined, 'registryReadWrite').next()).rejects.toMatchObject({ name: 'UnauthorizedError' });
});
