import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { findText } from '../../host-sim/hub/query/find-text.ts';
import { MAX_NESTING, MAX_QUERY_CHARACTERS } from '../../host-sim/hub/query/limits.ts';
import { parseCondition, parseQuery } from '../../host-sim/hub/query/query.ts';
import { runQuery } from '../../host-sim/hub/query/run-query.ts';
import { ServiceError } from '../../host-sim/hub/service-error.ts';
import { recordEvidence } from '../evidence.ts';
import { makeTwin, sourceOf } from './query-twins.ts';

const HOSTILE_QUERIES = 3_000;

const refusal = (parse: () => unknown): { status: number; code: number; message: string } => {
  try {
    parse();
  } catch (error) {
    if (error instanceof ServiceError) return { status: error.status, code: error.code, message: error.message };
    throw error;
  }
  throw new Error('it was taken');
};

test.each<[string, string]>([
  ['', 'Query: the end instead of SELECT at character 1; a query is SELECT … FROM devices [WHERE …] [GROUP BY …].'],
  ['DELETE FROM devices', 'Query: "DELETE" instead of SELECT at character 1; a query is SELECT … FROM devices [WHERE …] [GROUP BY …].'],
  ['SELECT *', 'Query: the end instead of FROM at character 9; separate what is selected with commas, then say FROM devices or FROM devices.modules.'],
  ['SELECT * FROM twins', 'Query: no collection "twins" at character 15; query devices or devices.modules.'],
  ['SELECT * FROM devices.jobs', 'Query: devices.jobs, which this hub does not have at character 15; query devices or devices.modules.'],
  ['SELECT * FROM devices ORDER BY deviceId', 'Query: "ORDER" instead of the end at character 23; behind FROM the language has WHERE and GROUP BY, in this order.'],
  ['SELECT TOP 0 * FROM devices', 'Query: TOP without a whole number above 0 at character 12; write it as SELECT TOP 10 * FROM devices.'],
  ['SELECT * FROM devices WHERE', 'Query: the end instead of a value at character 28; write a property, a constant or a function.'],
  ["SELECT * FROM devices WHERE deviceId IN ('a')", 'Query: "(" behind IN at character 41; write the values in brackets, as IN [\'a\', \'b\'].'],
  ["SELECT * FROM devices WHERE tags.x = 'a", "Query: a string that does not end at character 38; close it with '."],
  ["SELECT * FROM devices WHERE tags.x = '\\n'", 'Query: an unknown escape \\n at character 39; strings know \\\' \\" \\\\ and \\uXXXX.'],
  ['SELECT * FROM devices WHERE tags.[[x', 'Query: [[ without ]] at character 34; close the name with ]].'],
  ['SELECT * FROM devices /* x', 'Query: a comment that does not end at character 23; close it with */.'],
  ['SELECT * FROM devices WHERE tags.x == 1', 'Query: "=" instead of a value at character 37; write a property, a constant or a function.'],
  ['SELECT * FROM devices WHERE tags.x = 1;', 'Query: no place for ";" at character 39; names with other characters stand in brackets, as tags.[[a name]].'],
  ['SELECT * FROM devices WHERE frobnicate(tags.x)', 'Query: no function frobnicate at character 29; see docs/hub.md for those that there are.'],
  ['SELECT * FROM devices WHERE IS_DEFINED()', 'Query: IS_DEFINED with 0 parameters at character 29; it takes 1.'],
  ['SELECT * FROM devices WHERE SUBSTRING(tags.x)', 'Query: SUBSTRING with 1 parameters at character 29; it takes 2 to 3.'],
  ['SELECT * FROM devices GROUP BY status', 'Query: GROUP BY with SELECT * at character 32; select the property that groups, and aggregates.'],
  ['SELECT deviceId, COUNT() AS n FROM devices', 'Query: deviceId beside an aggregate at character 8; an aggregated query selects aggregates and the property that GROUP BY names.'],
  ['SELECT tags.a.x, tags.b.x FROM devices', 'Query: a second "x" at character 18; name one of them with AS.'],
  ['SELECT COUNT(*) AS n FROM devices', 'Query: "*" instead of ) at character 14; COUNT() has no parameter.'],
  ['SELECT UPPER(deviceId) FROM devices', 'Query: UPPER in SELECT at character 8; SELECT takes properties and COUNT(), AVG, SUM, MIN, MAX.'],
  ["SELECT * FROM devices WHERE devices.modules.moduleId = 'm'", 'Query: devices.modules in a query of devices at character 29; collections cannot be joined: query one of them.'],
  ['SELECT * FROM devices WHERE tags[1.5] = 1', "Query: brackets without a name or an index at character 34; write them as tags['a name'] or tags.list[0]."],
  ['SELECT * FROM devices WHERE 1e999 = 1', 'Query: a number out of range at character 29; numbers are 64-bit floats.'],
  [`SELECT * FROM devices WHERE ${' '.repeat(MAX_QUERY_CHARACTERS)}`, `Query: a text of 8220 characters at character 8193; a query has at most 8192.`],
])('%.80s is refused with its place and the remedy', (text, message) => {
  expect(refusal(() => parseQuery(text))).toEqual({ status: 400, code: 400004, message });
});

test.each(['(', 'NOT ', '- ', '[', 'ABS('])('%s within itself is read to a bounded depth', (opening) => {
  const condition = (levels: number): string => `SELECT * FROM devices WHERE ${opening.repeat(levels)}1`;
  expect(refusal(() => parseQuery(condition(MAX_NESTING + 1))).message).toContain('an expression nested too deeply');
  expect(refusal(() => parseQuery(`${condition(MAX_NESTING - 2)} ~`)).message).toContain('no place for "~"');
});

test('a condition of a module configuration needs its WHERE, and takes nothing behind it', () => {
  expect(refusal(() => parseCondition('FROM devices.modules')).message).toContain('the end instead of WHERE');
  expect(refusal(() => parseCondition("tags.a = 'x' tags.b = 'y'")).message).toContain('join conditions with AND or OR');
});

const WORDS = [
  'SELECT', '*', 'FROM', 'devices', 'devices.modules', 'WHERE', 'GROUP BY', 'TOP 3', 'AS', 'COUNT()', 'AVG(', 'tags', '.', '[[', ']]', '[', ']', '(', ')', ',', "'x'", '"', "'",
  '\\', '=', '!=', '<>', '<', '>=', 'AND', 'OR', 'NOT', 'IN', 'NIN', '+', '-', '/', '%', '0x1F', '1.5', '.', 'null', 'true', 'undefined', 'is_defined(', 'CONCAT(', 'SUBSTRING(',
  'properties.reported.x', 'deviceId', '/*', '*/', '\u0000', '\ud800', 'ß', '__proto__', 'constructor',
];

const source = sourceOf([makeTwin('dev1'), makeTwin('dev2', { tags: { x: [1, 'a', null] } })]);

test('whatever the text, a query answers rows or a ServiceError, quickly', () => {
  const sentences = fc.array(fc.constantFrom(...WORDS), { maxLength: 60 }).map((words) => words.join(' '));
  const conditions = sentences.map((sentence) => `SELECT * FROM devices WHERE ${sentence}`);
  const mutations = fc
    .tuple(fc.constantFrom("SELECT TOP 5 deviceId, tags.[[a b]].c AS d FROM devices WHERE NOT (tags.x IN ['a', 1] AND -version * 2 >= 0x10) OR is_defined(tags['q'])"), fc.nat(), fc.nat(20), fc.string({ maxLength: 5 }))
    .map(([text, at, length, inserted]) => text.slice(0, at % text.length) + inserted + text.slice((at % text.length) + length));
  fc.assert(
    fc.property(fc.oneof(sentences, conditions, mutations, fc.string({ unit: 'binary' })), (text) => {
      try {
        runQuery(text, source, { rows: 1 });
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
      }
    }),
    { numRuns: HOSTILE_QUERIES, seed: 1 },
  );
  recordEvidence('hostile-queries', HOSTILE_QUERIES);
});

test.each<[string, string]>([
  ['OR', Array.from({ length: 1_100 }, () => 'a=1').join(' OR ')],
  ['+', Array.from({ length: 4_000 }, () => '1').join('+')],
  ['=', Array.from({ length: 4_000 }, () => '1').join('=')],
  ['a list', `deviceId IN [${Array.from({ length: 4_000 }, () => '1').join(',')}]`],
  ['a path', `a${'.b'.repeat(4_000)} = 1`],
  ['comment starts', '/*'.repeat(4_000)],
  ['escapes', `'${'\\\\'.repeat(4_000)}' = 1`],
  ['searches', Array.from({ length: 7 }, () => `CONTAINS(tags.long,'${'x'.repeat(512)}y${'x'.repeat(511)}')`).join(' OR ')],
  ['concatenations', `LENGTH(${'CONCAT(tags.long,'.repeat(28)}tags.long${')'.repeat(28)}) > 0`],
])('8,000 characters of %s over 500 twins end', (_what, condition) => {
  const twins = Array.from({ length: 500 }, (_, index) => makeTwin(`dev${index}`, { tags: { long: 'x'.repeat(4_096) } }));
  const startedMs = performance.now();
  try {
    runQuery(`SELECT COUNT() AS n FROM devices WHERE ${condition}`, sourceOf(twins));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
  }
  // Linear work takes well below a second; quadratic work would take minutes.
  expect(performance.now() - startedMs).toBeLessThan(20_000);
});

test('text is found where it begins, whatever its length', () => {
  const repetitive = fc.string({ unit: fc.constantFrom('a', 'a', 'a', 'b'), maxLength: 200 });
  fc.assert(
    fc.property(repetitive, fc.nat(200), fc.nat(60), repetitive, (text, at, length, other) => {
      const inside = text.slice(at % (text.length + 1)).slice(0, 33 + length);
      for (const fragment of [inside, other, '']) expect(findText(text, fragment)).toBe(text.indexOf(fragment));
    }),
    { numRuns: 2_000, seed: 1 },
  );
});
