import { isDeepStrictEqual } from 'node:util';

import { NameBudget } from '../../firmware/agent/json/name-budget.ts';
import { parseBounded } from '../../firmware/agent/json/parse-bounded.ts';
import { PropertyNames } from '../../firmware/agent/json/property-names.ts';
import { type TwinScan, TwinScanner } from '../../firmware/agent/json/twin-scanner.ts';
import { textCodec } from '../../firmware/codecs/text.ts';
import { JSON_CASES } from '../unit/agent/json-cases.ts';
import { judge, judgeTwin, WIDE_LIMITS } from '../unit/agent/json-oracle.ts';
import { cutsOf, type ScriptFuzzer } from './js-fuzz.ts';

const MAX_INPUT_BYTES = 1024;
const TELLING = [...Buffer.from('{}[]:,"\\/bfnrtu0123456789+-.eEdDaAlsx $\n\t\0\x1f\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xe0\xed\xf0\xf4\xff', 'latin1')];
const DESIRED = ['temp', 'roots', '€'];
const REPORTED = ['roots'];
const desired = new PropertyNames(DESIRED, textCodec);
const reported = new PropertyNames(REPORTED, textCodec);

const TWINS = [
  '{"desired":{"temp":{"a":[1,-2.5e3,null]},"other":{"$version":9},"$metadata":{"temp":{"$lastUpdated":"x"}},"$version":7},"reported":{"roots":1,"$version":12}}',
  '{"temp":null,"te\\u006dp":"\\ud83d\\ude00","\\u20ac":true,"roots":{"__proto__":1},"\\u0024version":8}',
  '{"desired":{"$version":1},"desired":{"temp":[[]],"temp":1,"$version":2},"reported":{"$version":3}}',
  `{"desired":{"temp":"${'t'.repeat(50)}","$version":1},"reported":{"roots":[[[[1]]]],"$version":3}}`,
  `{"desired":{"deep":${'['.repeat(31)}${']'.repeat(31)},"$version":1}}`,
];

/**
 * The guard and the twin scanner. Each must agree with Node on what is JSON and what it says, give the same for all three cuts, and
 * leave the budget of names as it was where it refuses.
 */
export const jsonScanners: ScriptFuzzer = {
  corpus: () => [...JSON_CASES.map(({ latin1 }) => Buffer.from(latin1, 'latin1')), ...TWINS.map((text) => Buffer.from(text))].filter(({ length }) => length <= MAX_INPUT_BYTES).map((bytes) => Uint8Array.from(bytes)),
  maxInputBytes: MAX_INPUT_BYTES,
  telling: TELLING,
  run(input, random, seen) {
    const count = (kind: string): void => void seen.set(kind, (seen.get(kind) ?? 0) + 1);
    count(`value ${checkGuard(input)}`);
    for (const form of ['answer', 'patch'] as const) count(`${form} ${checkTwin(form, input, cutsOf(input, random))}`);
  },
};

function checkGuard(input: Uint8Array): string {
  const names = new NameBudget({ maxNames: 4 });
  const wide = parseBounded(input, { text: textCodec, names: new NameBudget({ maxNames: 1024 }), limits: WIDE_LIMITS });
  const narrow = parseBounded(input, { text: textCodec, names, limits: { maxDepth: 3, maxMembers: 10, maxNameBytes: 8 } });
  const verdict = judge(input);
  const isBeyond = !wide.ok && ['ERR_JSON_DEPTH', 'ERR_JSON_NAME', 'ERR_JSON_NUMBER', 'ERR_JSON_NAMES'].includes(wide.code);
  if (wide.ok !== verdict.ok && !(verdict.ok && isBeyond)) throw new Error(`the guard says ${JSON.stringify(wide)}, Node ${JSON.stringify(verdict)}`);
  if (wide.ok && verdict.ok && !isDeepStrictEqual(wide.value, verdict.value)) throw new Error('the guard gives another value than Node');
  if (narrow.ok && !isDeepStrictEqual(narrow, wide)) throw new Error('narrow limits give another value');
  if (!narrow.ok && names.count !== 0) throw new Error('what was refused cost names');
  return narrow.ok ? 'read' : narrow.code;
}

function checkTwin(form: 'answer' | 'patch', input: Uint8Array, cuts: readonly (readonly Uint8Array[])[]): string {
  const [whole, ...others] = cuts.map((pieces) => scan(form, pieces)) as [TwinScan, ...TwinScan[]];
  for (const other of others) if (!isDeepStrictEqual(other, whole)) throw new Error(`a ${form} depends on the pieces`);
  const judgement = judgeTwin(input, form, DESIRED, REPORTED);
  if (!whole.ok) {
    // JSON.parse does not tell 1.0 from 1.
    if (judgement !== undefined && whole.code !== 'ERR_TWIN_VERSION' && whole.code !== 'ERR_JSON_DEPTH') throw new Error(`a ${form} is refused as ${whole.code}, and Node reads it`);
    return whole.code;
  }
  if (judgement === undefined) throw new Error(`a ${form} is read, and Node refuses it`);
  for (const [found, expected] of [[whole.desired, judgement.desired], [whole.reported, judgement.reported]] as const) {
    if (found?.version !== expected?.version) throw new Error(`a ${form} has another version`);
    for (const [name, value] of expected?.values ?? []) {
      if (!found!.refused.has(name) && !isDeepStrictEqual(found!.values.get(name), value)) throw new Error(`a ${form} has another ${name}`);
    }
    if ((found?.values.size ?? 0) + (found?.refused.size ?? 0) !== (expected?.values.size ?? 0)) throw new Error(`a ${form} has other names`);
  }
  const refused = [...whole.desired.refused.values(), ...(whole.reported?.refused.values() ?? [])];
  return refused.length === 0 ? 'read' : `read but for ${refused[0]}`;
}

function scan(form: 'answer' | 'patch', pieces: readonly Uint8Array[]): TwinScan {
  const limits = { maxDepth: 3, maxMembers: 10, maxValueBytes: 40, maxTotalBytes: 60 };
  const scanner = new TwinScanner({ form, desired, reported, text: textCodec, names: new NameBudget({ maxNames: 3 }), limits });
  for (const piece of pieces) scanner.feed(piece);
  return scanner.end();
}
