import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ServiceError } from '../../host-sim/hub/service-error.ts';
import { recordEvidence } from '../evidence.ts';
import { ConfigurationBench } from './configuration-bench.ts';

const ROLLOUTS = 500;
const HOSTILE_BODIES = 3_000;
const DEVICES = ['d0', 'd1', 'd2'];
const IDS = ['c0', 'c1', 'c2', 'c3'];
/** None lies below another one: what overlaps has tests of its own. */
const PATHS = ['a', 'b', 'c.d', 'c.e'];
const GROUPS = ['x', 'y', ''];

interface Wish {
  readonly group: string;
  readonly priority: number;
  readonly content: Readonly<Record<string, number | null>>;
}

type Step =
  | { readonly kind: 'create'; readonly id: string; readonly wish: Wish }
  | { readonly kind: 'aim'; readonly id: string; readonly group: string; readonly priority: number }
  | { readonly kind: 'delete'; readonly id: string }
  | { readonly kind: 'tag'; readonly deviceId: string; readonly group: string }
  | { readonly kind: 'pass' }
  | { readonly kind: 'restart' };

const group = fc.constantFrom(...GROUPS);
const priority = fc.nat(3);
const content = fc.dictionary(fc.constantFrom(...PATHS), fc.oneof(fc.nat(5), fc.constant(null)), { minKeys: 1 });
const id = fc.constantFrom(...IDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), id, wish: fc.record({ group, priority, content }) }),
  fc.record({ kind: fc.constant('aim' as const), id, group, priority }),
  fc.record({ kind: fc.constant('delete' as const), id }),
  fc.record({ kind: fc.constant('tag' as const), deviceId: fc.constantFrom(...DEVICES), group }),
  fc.constant({ kind: 'pass' as const }),
  fc.constant({ kind: 'restart' as const }),
);

/** What should be there: per path the strongest configuration, among equals the youngest. Nothing is remembered but what was asked for. */
class Model {
  readonly wishes = new Map<string, Wish & { readonly order: number }>();
  readonly groups = new Map<string, string>();
  #created = 0;

  create(configurationId: string, wish: Wish): void {
    this.wishes.set(configurationId, { ...wish, order: ++this.#created });
  }

  desired(deviceId: string): object {
    const matching = [...this.wishes.values()].filter((wish) => wish.group === (this.groups.get(deviceId) ?? 'x'));
    const weakestFirst = matching.sort((one, other) => one.priority - other.priority || one.order - other.order);
    const values = Object.assign({}, ...weakestFirst.map((wish) => wish.content)) as Record<string, number | null>;
    const set = Object.entries(values).filter(([, value]) => value !== null);
    const flat = set.filter(([path]) => !path.includes('.'));
    const nested = set.filter(([path]) => path.startsWith('c.')).map(([path, value]) => [path.slice(2), value] as const);
    return { ...Object.fromEntries(flat), ...(nested.length === 0 ? {} : { c: Object.fromEntries(nested) }) };
  }
}

const conditionOf = (wanted: string): string => `tags.group = '${wanted}'`;

function perform(bench: ConfigurationBench, model: Model, one: Step): void {
  const known = 'id' in one && model.wishes.has(one.id);
  switch (one.kind) {
    case 'create': {
      if (known) return;
      const { group: wanted, priority: strength, content: values } = one.wish;
      const deviceContent = Object.fromEntries(Object.entries(values).map(([path, value]) => [`properties.desired.${path}`, value]));
      bench.configurations.create(one.id, { content: { deviceContent }, targetCondition: conditionOf(wanted), priority: strength });
      return model.create(one.id, one.wish);
    }
    case 'aim':
      if (!known) return;
      bench.configurations.update(one.id, { targetCondition: conditionOf(one.group), priority: one.priority }, '*');
      return void model.wishes.set(one.id, { ...model.wishes.get(one.id)!, group: one.group, priority: one.priority });
    case 'delete':
      if (!known) return;
      bench.configurations.delete(one.id);
      return void model.wishes.delete(one.id);
    case 'tag':
      bench.twins.patch({ deviceId: one.deviceId }, { tags: { group: one.group } });
      return void model.groups.set(one.deviceId, one.group);
    case 'pass':
      return bench.pass(400_000);
    case 'restart':
      return bench.restart();
  }
}

/** An object that a configuration made and emptied again may stay. */
function withoutEmpty(desired: object): object {
  return Object.fromEntries(Object.entries(desired).filter(([, value]) => !(typeof value === 'object' && Object.keys(value as object).length === 0)));
}

test('after any creations, changes, deletions, tags and restarts every twin carries what its strongest configurations say, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const bench = new ConfigurationBench();
      const model = new Model();
      for (const deviceId of DEVICES) bench.add({ deviceId }, { group: 'x' });
      for (const one of steps) perform(bench, model, one);
      bench.pass(400_000);
      for (const deviceId of DEVICES) expect(withoutEmpty(bench.desired(deviceId) as object)).toEqual(model.desired(deviceId));
      bench.configurations.close();
    }),
    { numRuns: ROLLOUTS, seed: 1 },
  );
  recordEvidence('configuration-rollouts', ROLLOUTS);
});

test('whatever the body, a configuration is taken and can be read, or refused by a ServiceError', () => {
  const name = fc.constantFrom('id', 'schemaVersion', 'labels', 'content', 'targetCondition', 'priority', 'metrics', 'queries', 'deviceContent', 'moduleContent', 'modulesContent', '__proto__', 'properties.desired.a', 'properties.desired.a.b');
  const body = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.constantFrom('*', 'c', '1.0', "tags.a = 'b'", 'SELECT * FROM devices', null, true, -1, 0, 7, 1e300), fc.string(), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(name, tie('value'), { maxKeys: 6 })),
  })).value;
  const bench = new ConfigurationBench();
  bench.add({ deviceId: 'd0' });
  let taken = 0;
  fc.assert(
    fc.property(body, (value) => {
      try {
        bench.configurations.create('c', value);
        taken += 1;
      } catch (error) {
        if (error instanceof ServiceError) return;
        throw error;
      }
      bench.pass();
      JSON.stringify(bench.configurations.read('c'));
      bench.configurations.delete('c');
      bench.pass();
    }),
    { numRuns: HOSTILE_BODIES, seed: 1 },
  );
  expect(taken).toBeGreaterThan(10);
  recordEvidence('hostile-configurations', HOSTILE_BODIES);
  bench.configurations.close();
});
