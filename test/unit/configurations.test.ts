import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { ServiceError } from '../../host-sim/hub/service-error.ts';
import { ConfigurationBench } from './configuration-bench.ts';

let bench: ConfigurationBench;

beforeEach(() => {
  bench = new ConfigurationBench();
  bench.add({ deviceId: 'lab' }, { environment: 'test' });
  bench.add({ deviceId: 'shop' }, { environment: 'production' });
});

afterEach(() => bench.configurations.close());

const chiller = (changes: object = {}): object => ({
  content: { deviceContent: { 'properties.desired.chiller-water': { temperature: 66, pressure: 28 } } },
  targetCondition: "tags.environment='test'",
  priority: 10,
  ...changes,
});

const refusal = (act: () => unknown): { status: number; code: number; reason: string; message: string } => {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError) return { status: error.status, code: error.code, reason: error.reason, message: error.message };
    throw error;
  }
  throw new Error('it was taken');
};

describe('what is set', () => {
  test('a configuration sets its settings in the twins that it targets, and in no other', () => {
    bench.configurations.create('chill', chiller());
    bench.pass();
    expect(bench.desired('lab')).toEqual({ 'chiller-water': { temperature: 66, pressure: 28 } });
    expect(bench.desired('shop')).toEqual({});
    expect(bench.configurations.statusOf({ deviceId: 'lab' })).toEqual({ chill: { status: 'Applied' } });
    expect(bench.configurations.statusOf({ deviceId: 'shop' })).toBeUndefined();
  });

  test('* targets every device and no module, an empty condition nobody', () => {
    bench.add({ deviceId: 'lab', moduleId: 'm' });
    bench.configurations.create('all', chiller({ targetCondition: '*' }));
    bench.configurations.create('none', { content: { deviceContent: { 'properties.desired.none': 1 } } });
    bench.pass();
    expect([bench.desired('lab'), bench.desired('shop')]).toEqual([{ 'chiller-water': { temperature: 66, pressure: 28 } }, { 'chiller-water': { temperature: 66, pressure: 28 } }]);
    expect(bench.desired('lab', 'm')).toEqual({});
  });

  test('a module configuration sets settings of the modules that its query finds', () => {
    bench.add({ deviceId: 'lab', moduleId: 'm' }, { environment: 'test' });
    bench.configurations.create('mod', {
      content: { moduleContent: { 'properties.desired.rate': 5 } },
      targetCondition: "from devices.modules where tags.environment='test'",
    });
    bench.pass();
    expect(bench.desired('lab', 'm')).toEqual({ rate: 5 });
    expect(bench.desired('lab')).toEqual({});
    expect(bench.configurations.read('mod').systemMetrics).toEqual({
      results: { targetedCount: 1, appliedCount: 1 },
      queries: {
        targetedCount: "select deviceId, moduleId from devices.modules where tags.environment='test'",
        appliedCount: "select deviceId, moduleId from devices.modules where configurations.[[mod]].status = 'Applied'",
      },
    });
  });

  test('a setting takes the place of what was at its path, and leaves its neighbours', () => {
    bench.twins.patch({ deviceId: 'lab' }, { properties: { desired: { 'chiller-water': { old: true }, kept: 1 } } });
    bench.configurations.create('chill', chiller());
    bench.pass();
    expect(bench.desired('lab')).toEqual({ 'chiller-water': { temperature: 66, pressure: 28 }, kept: 1 });
  });

  test('a setting may be one value deep in a twin, and null removes what is there', () => {
    bench.twins.patch({ deviceId: 'lab' }, { properties: { desired: { gone: { a: 1 }, 'chiller-water': { temperature: 1, pressure: 2 } } } });
    bench.configurations.create('chill', chiller({ content: { deviceContent: { 'properties.desired.chiller-water.temperature': 66, 'properties.desired.gone': null } } }));
    bench.pass();
    expect(bench.desired('lab')).toEqual({ 'chiller-water': { temperature: 66, pressure: 2 } });
  });

  test('a twin that has what it should have is not written', () => {
    bench.twins.patch({ deviceId: 'lab' }, { properties: { desired: { 'chiller-water': { pressure: 28, temperature: 66 } } } });
    const version = bench.versionOf('lab');
    bench.configurations.create('chill', chiller());
    bench.pass();
    expect(bench.versionOf('lab')).toBe(version);
    expect(bench.configurations.read('chill').systemMetrics.results).toEqual({ targetedCount: 1, appliedCount: 1 });
  });
});

describe('priority', () => {
  const warm = chiller({ content: { deviceContent: { 'properties.desired.chiller-water': { temperature: 70 }, 'properties.desired.fan': 'on' } }, priority: 20 });

  test('the highest priority wins a path, and weaker configurations keep their other ones', () => {
    bench.configurations.create('warm', warm);
    bench.configurations.create('chill', chiller({ content: { deviceContent: { 'properties.desired.chiller-water': { temperature: 66 }, 'properties.desired.valve': 1 } } }));
    bench.pass();
    expect(bench.desired('lab')).toEqual({ 'chiller-water': { temperature: 70 }, fan: 'on', valve: 1 });
    expect(bench.configurations.statusOf({ deviceId: 'lab' })).toEqual({ warm: { status: 'Applied' }, chill: { status: 'Applied' } });
  });

  test('a configuration that loses all of its paths targets only', () => {
    bench.configurations.create('warm', warm);
    bench.configurations.create('chill', chiller());
    bench.pass();
    expect(bench.configurations.statusOf({ deviceId: 'lab' })).toEqual({ warm: { status: 'Applied' }, chill: { status: 'Targeted' } });
    expect(bench.configurations.read('chill').systemMetrics.results).toEqual({ targetedCount: 1, appliedCount: 0 });
  });

  test('of two with one priority the one that was created later wins', () => {
    bench.configurations.create('b', chiller({ content: { deviceContent: { 'properties.desired.x': 'b' } } }));
    bench.configurations.create('a', chiller({ content: { deviceContent: { 'properties.desired.x': 'a' } } }));
    bench.pass();
    expect(bench.desired('lab')).toEqual({ x: 'a' });
    bench.restart();
    bench.configurations.update('b', chiller({ content: {} }), '*');
    bench.pass();
    expect(bench.desired('lab')).toEqual({ x: 'a' });
  });

  test('a stronger setting below the path of a weaker one lies in it, and one above it replaces it', () => {
    bench.configurations.create('low', chiller({ content: { deviceContent: { 'properties.desired.a': { x: 1, y: 1 }, 'properties.desired.b.z': 1 } } }));
    bench.configurations.create('high', chiller({ content: { deviceContent: { 'properties.desired.a.y': 2, 'properties.desired.b': { w: 2 } } }, priority: 11 }));
    bench.pass();
    expect(bench.desired('lab')).toEqual({ a: { x: 1, y: 2 }, b: { w: 2 } });
  });
});

describe('what changes later', () => {
  beforeEach(() => {
    bench.configurations.create('chill', chiller());
    bench.configurations.create('base', { content: { deviceContent: { 'properties.desired.chiller-water': { temperature: 50 } } }, targetCondition: '*', priority: 1 });
    bench.pass();
  });

  test('a twin that comes into scope by its tags is configured, and one that leaves it falls back to the next priority', () => {
    bench.twins.patch({ deviceId: 'shop' }, { tags: { environment: 'test' } });
    bench.twins.patch({ deviceId: 'lab' }, { tags: { environment: null } });
    bench.pass();
    expect(bench.desired('shop')).toEqual({ 'chiller-water': { temperature: 66, pressure: 28 } });
    expect(bench.desired('lab')).toEqual({ 'chiller-water': { temperature: 50 } });
  });

  test('a device that is added later is configured', () => {
    bench.add({ deviceId: 'new' }, { environment: 'test' });
    bench.pass();
    expect(bench.desired('new')).toEqual({ 'chiller-water': { temperature: 66, pressure: 28 } });
  });

  test('a deleted configuration takes its settings with it, and nothing else', () => {
    bench.twins.patch({ deviceId: 'lab' }, { properties: { desired: { own: 1 } } });
    bench.configurations.delete('chill');
    bench.pass();
    expect(bench.desired('lab')).toEqual({ own: 1, 'chiller-water': { temperature: 50 } });
    bench.configurations.delete('base');
    bench.pass();
    expect([bench.desired('lab'), bench.desired('shop')]).toEqual([{ own: 1 }, {}]);
    expect(bench.configurations.statusOf({ deviceId: 'lab' })).toBeUndefined();
    expect([...bench.kept.keys()]).toEqual([]);
  });

  test('a removed device leaves nothing behind', () => {
    bench.remove({ deviceId: 'lab' });
    bench.pass();
    expect([...bench.kept.keys()]).toEqual(['configuration/definition/chill', 'configuration/definition/base', 'configuration/applied/shop']);
  });

  test('a changed condition or priority counts from then on', () => {
    bench.configurations.update('base', { ...bench.configurations.read('base'), priority: 99 }, bench.configurations.read('base').etag);
    bench.configurations.update('chill', { ...bench.configurations.read('chill'), targetCondition: "deviceId = 'shop'" }, '*');
    bench.pass();
    expect([bench.desired('lab'), bench.desired('shop')]).toEqual([{ 'chiller-water': { temperature: 50 } }, { 'chiller-water': { temperature: 50 } }]);
    expect(bench.configurations.statusOf({ deviceId: 'shop' })).toEqual({ base: { status: 'Applied' }, chill: { status: 'Targeted' } });
  });

  test('what was kept of a device that is gone is forgotten at the next start', () => {
    bench.twins.delete({ deviceId: 'lab' });
    bench.restart();
    bench.pass();
    expect([...bench.kept.keys()]).toEqual(['configuration/definition/chill', 'configuration/definition/base', 'configuration/applied/shop']);
    expect(bench.configurations.read('base').systemMetrics.results).toEqual({ targetedCount: 1, appliedCount: 1 });
  });

  test('a hub that ends and starts again goes on where it was, also in the middle of a rollout', () => {
    bench.configurations.delete('chill');
    bench.restart();
    bench.pass();
    expect(bench.desired('lab')).toEqual({ 'chiller-water': { temperature: 50 } });
    const versions = ['lab', 'shop'].map((deviceId) => bench.versionOf(deviceId));
    bench.restart();
    bench.pass();
    expect(['lab', 'shop'].map((deviceId) => bench.versionOf(deviceId))).toEqual(versions);
  });
});

describe('cost', () => {
  test('many changes of one twin are one look at it, and changes that no condition reads none', () => {
    bench.configurations.create('chill', chiller());
    bench.pass();
    bench.events.length = 0;
    for (let index = 0; index < 100; index++) bench.twins.patch({ deviceId: 'shop' }, { tags: { environment: index % 2 === 0 ? 'test' : 'x' } });
    bench.twins.patch({ deviceId: 'shop' }, { tags: { environment: 'test' } });
    expect(bench.clock.nextDueMs() - bench.clock.monotonicMs()).toBe(100);
    bench.pass();
    expect(bench.events).toEqual([{ event: 'configurationsApplied', deviceId: 'shop', configurations: ['chill'] }]);
    for (let index = 0; index < 100; index++) bench.twins.report({ deviceId: 'shop' }, { index });
    expect(bench.clock.nextDueMs()).toBe(Infinity);
  });

  test('5,000 twins are configured in batches', () => {
    for (let index = 0; index < 5_000; index++) bench.add({ deviceId: `dev${index}` });
    bench.configurations.create('all', chiller({ targetCondition: '*' }));
    bench.pass();
    expect(bench.configurations.read('all').systemMetrics.results).toEqual({ targetedCount: 5_002, appliedCount: 5_002 });
  });

  test('a configuration that its own effect takes out of scope changes the twin ten times in five minutes at most', () => {
    bench.twins.report({ deviceId: 'lab' }, { mode: 'a' });
    // A device that reports what it is told.
    bench.twins.onChange(({ part, identity }) => {
      if (part === 'desired') bench.twins.report(identity, { mode: 'b' in bench.twins.read(identity).desired ? 'b' : 'a' });
    });
    bench.configurations.create('spin', { content: { deviceContent: { 'properties.desired.b': true } }, targetCondition: "properties.reported.mode = 'a'" });
    bench.pass(4 * 60_000);
    expect(bench.versionOf('lab')).toBe(1 + 10);
    bench.pass(60_000 + 5 * 60_000);
    expect(bench.versionOf('lab')).toBe(1 + 20);
  });

  test('a twin that has no room for its settings is targeted, told of once, and lives on', () => {
    bench.twins.patch({ deviceId: 'lab' }, { properties: { desired: Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`k${index}`, 'x'.repeat(4_096)])) } });
    bench.configurations.create('big', chiller({ content: { deviceContent: { 'properties.desired.big': 'y'.repeat(4_096) } } }));
    bench.pass(10_000);
    expect(bench.events.filter(({ event }) => event === 'configurationsRefused')).toEqual([
      { event: 'configurationsRefused', deviceId: 'lab', configurations: ['big'], code: 413001, detail: expect.stringContaining('The desired of the twin would take') },
    ]);
    expect(bench.configurations.read('big').systemMetrics.results).toEqual({ targetedCount: 1, appliedCount: 0 });
  });
});

test('metrics count the rows of their queries', () => {
  bench.configurations.create('chill', chiller({
    metrics: { queries: { Success: "SELECT deviceId FROM devices WHERE properties.reported.chillerWaterSettings.status='success'", Applied: "SELECT deviceId FROM devices WHERE configurations.[[chill]].status = 'Applied'" } },
  }));
  bench.twins.report({ deviceId: 'lab' }, { chillerWaterSettings: { status: 'success' } });
  bench.pass();
  expect(bench.configurations.read('chill').metrics.results).toEqual({ Success: 1, Applied: 1 });
});

test('metrics of many twins are counted in turns, all queries of all configurations in one walk; who asks meanwhile shares the next walk', async () => {
  for (let index = 0; index < 2_000; index++) bench.add({ deviceId: `dev${index}` }, { group: String(index % 4) });
  const queries = Object.fromEntries([0, 1, 2, 3].map((group) => [`g${group}`, `SELECT deviceId FROM devices WHERE tags.group = '${group}'`]));
  bench.configurations.create('one', chiller({ metrics: { queries } }));
  bench.configurations.create('two', chiller({ metrics: { queries: { groups: 'SELECT tags.group, COUNT() AS n FROM devices WHERE is_defined(tags.group) GROUP BY tags.group', ten: 'SELECT TOP 10 deviceId FROM devices', g0: queries.g0, g1: queries.g1 } } }));
  bench.pass();
  bench.rowsRead = 0;
  const first = bench.configurations.describe(['one', 'two']);
  const turns: number[] = [];
  const later = [bench.configurations.describe(['two']), bench.configurations.describe([])];
  while (bench.clock.nextDueMs() !== Infinity) {
    turns.push(bench.rowsRead);
    bench.clock.jumpTo(bench.clock.nextDueMs());
    bench.clock.fireDue();
  }
  expect((await first).map(({ metrics }) => metrics.results)).toEqual([{ g0: 500, g1: 500, g2: 500, g3: 500 }, { groups: 4, ten: 10, g0: 500, g1: 500 }]);
  expect((await Promise.all(later)).map((list) => list.map(({ id }) => id))).toEqual([['two'], []]);
  // 5,000 evaluations a turn: 834 twins for six queries, 1,250 for four.
  expect(turns).toEqual([834, 1_668, 2_002 + 1_250]);
  expect(bench.rowsRead).toBe(2 * 2_002);
});

describe('what is refused', () => {
  test.each<[string, object, string]>([
    ['a condition that does not parse', { targetCondition: 'tags.a = ' }, 'Query: the end instead of a value at character 10; write a property, a constant or a function.'],
    ['a condition on what configurations set', { targetCondition: "properties.desired.a = 'b'" }, 'Target condition: properties.desired at character 1 cannot be a condition: a configuration must not depend on what it sets; use tags, properties.reported or ids.'],
    ['a condition on the connection', { targetCondition: "connectionState = 'Connected'" }, 'Target condition: connectionState at character 1 cannot be a condition: a configuration must not depend on what it sets; use tags, properties.reported or ids.'],
    ['device content for modules', { targetCondition: 'FROM devices.modules WHERE tags.a = 1' }, 'Target condition: deviceContent is for devices; leave out FROM devices.modules WHERE.'],
    ['module content for devices', { content: { moduleContent: { 'properties.desired.a': 1 } } }, 'Target condition: moduleContent is for modules; start with FROM devices.modules WHERE.'],
    ['module content for all', { content: { moduleContent: {} }, targetCondition: '*' }, 'Target condition: * cannot target modules; write FROM devices.modules WHERE and a condition.'],
    ['IoT Edge', { content: { modulesContent: { $edgeAgent: {} } } }, 'content.modulesContent deploys modules to IoT Edge devices, which this hub does not have; use deviceContent or moduleContent.'],
    ['both contents', { content: { deviceContent: {}, moduleContent: {} } }, 'content has deviceContent or moduleContent, not both.'],
    ['a path of tags', { content: { deviceContent: { 'tags.a': 1 } } }, '"tags.a" is no path of desired properties; write it as properties.desired.name.'],
    ['the whole of the desired properties', { content: { deviceContent: { 'properties.desired': {} } } }, '"properties.desired" is no path of desired properties; write it as properties.desired.name.'],
    ['a name that no twin takes', { content: { deviceContent: { 'properties.desired.$a': 1 } } }, "Property or Tag name has invalid characters. Error in Property/Tag $a. Must not contain Control Characters, '.', '$', '#', or ' '."],
    ['a value that is too deep', { content: { deviceContent: { 'properties.desired.a.b.c.d.e.f.g.h': { i: { j: { k: {} } } } } } }, 'Nested depth of the properties exceeds 10.'],
    ['a negative priority', { priority: -1 }, 'priority must be a whole number from 0 to 2147483647.'],
    ['six metrics', { metrics: { queries: { a: '', b: '', c: '', d: '', e: '', f: '' } } }, 'A configuration has 5 custom metrics at most.'],
    ['a metric that does not parse', { metrics: { queries: { a: 'SELECT' } } }, 'Metric "a": Query: the end instead of a property at character 7; write one as tags.location or properties.reported.state.'],
    ['another schema', { schemaVersion: '2.0' }, 'schemaVersion must be 1.0.'],
    ['another id', { id: 'other' }, 'The id of the configuration is not that of the path.'],
    ['a label that is no text', { labels: { a: 1 } }, 'labels are texts of 128 characters at most.'],
  ])('%s', (_what, changes, message) => {
    expect(refusal(() => bench.configurations.create('chill', chiller(changes)))).toEqual({ status: 400, code: 400004, reason: 'ArgumentInvalid', message });
  });

  test.each([['Upper'], ['a b'], ['a/b'], ['a[b'], [''], ['x'.repeat(129)]])('the id %p', (id) => {
    expect(refusal(() => bench.configurations.create(id, chiller())).status).toBe(400);
  });

  test('a second one with an id, one too many, an unknown one, an old etag, and other content', () => {
    bench.configurations.create('chill', chiller());
    expect(refusal(() => bench.configurations.create('chill', chiller())).reason).toBe('ConfigurationAlreadyExists');
    expect(refusal(() => bench.configurations.read('none')).reason).toBe('ConfigurationNotFound');
    expect(refusal(() => bench.configurations.update('chill', chiller(), '"MTc="'))).toEqual({ status: 412, code: 412001, reason: 'PreconditionFailed', message: 'Precondition failed: the etag of the configuration is MQ==.' });
    expect(refusal(() => bench.configurations.delete('chill', '"MTc="')).status).toBe(412);
    expect(refusal(() => bench.configurations.update('chill', chiller({ content: { deviceContent: { 'properties.desired.a': 1 } } }), '*')).message).toBe(
      'The content of a configuration cannot be changed; create another one with a higher priority.',
    );
    for (let index = 1; index < 100; index++) bench.configurations.create(`c${index}`, chiller());
    expect(refusal(() => bench.configurations.create('c100', chiller())).message).toBe('A hub has 100 configurations at most; delete one first.');
  });
});
