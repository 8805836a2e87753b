/// <reference path="../../firmware/ports/types/latchkey.d.ts" />
import board from 'latchkey/board';

import { copyReported } from '../../firmware/agent/json/copy-reported.ts';
import { mergeReported } from '../../firmware/agent/json/merge-reported.ts';
import { NameBudget } from '../../firmware/agent/json/name-budget.ts';
import { parseBounded } from '../../firmware/agent/json/parse-bounded.ts';
import { PropertyNames } from '../../firmware/agent/json/property-names.ts';
import { TwinScanner, type TwinScan } from '../../firmware/agent/json/twin-scanner.ts';
import { textCodec } from '../../firmware/codecs/text.ts';

/** What scanner-rows.ts runs on the board: a twin of 64 KB in pieces of 1 KB, a method's payload, a report; counted. */

const BLOCKS = 64;
const BLOCK = `,"component":{"setting":"${'x'.repeat(400)}","list":[1,-2.5e3,true,null,{"a":"b"}],"$metadata":{"$lastUpdated":"2026-11-22T17:30:58.1234567Z"},"more":"${'The quick brown fox, 42 times. '.repeat(14)}"}`;
const FIRST = textCodec.encodeUtf8('{"desired":{"$version":7,"thermostat":{"target":21.5,"unit":"C","schedule":[[8,20],[22,17]]}');
const MIDDLE = textCodec.encodeUtf8(BLOCK);
const LAST = textCodec.encodeUtf8('},"reported":{"roots":{"version":3},"$version":12}}');
const METHOD = textCodec.encodeUtf8(
  '{"command":"setSchedule","requestId":"b6f1c1de-7b3c-4f0e-9f6e-0c1d2e3f4a5b","days":["mon","tue","wed"],"from":{"hour":6,"minute":30},"to":{"hour":22,"minute":0},"target":21.5,"unit":"C","keep":true}',
);
const FIRST_REPORT = { temperature: 21.5, state: { mode: 'heat', since: '2026-11-22T17:30:58Z' }, error: null };
const SECOND_REPORT = { temperature: 21.75, state: { mode: 'idle' }, firmware: '1.0.0' };

const names = new NameBudget();
const desired = new PropertyNames(['thermostat'], textCodec);
const reported = new PropertyNames(['roots'], textCodec);

function scanTwin(): TwinScan {
  const scanner = new TwinScanner({ form: 'answer', desired, reported, text: textCodec, names });
  scanner.feed(FIRST);
  for (let i = 0; i < BLOCKS; i++) scanner.feed(MIDDLE);
  scanner.feed(LAST);
  return scanner.end();
}

/** Compute units of `action` the second time, without those of counting. */
function unitsOf(action: () => unknown): number {
  const count = (counted: () => unknown): number => {
    const before = board.computeUnits;
    counted();
    return (board.computeUnits - before) | 0;
  };
  action();
  return count(action) - count(() => undefined);
}

function print(line: object): void {
  board.print(JSON.stringify(line));
}

const twin = scanTwin();
const method = parseBounded(METHOD, { text: textCodec, names });
const methodText = textCodec.decodeUtf8(METHOD);
print({
  event: 'counted',
  twinBytes: FIRST.length + BLOCKS * MIDDLE.length + LAST.length,
  twinRead: twin.ok && twin.desired.values.size === 1 && twin.reported?.values.size === 1,
  twinUnits: unitsOf(scanTwin),
  methodBytes: METHOD.length,
  methodRead: method.ok && JSON.stringify(method.value) === methodText,
  methodUnits: unitsOf(() => parseBounded(METHOD, { text: textCodec, names })),
  bareMethodUnits: unitsOf(() => JSON.parse(textCodec.decodeUtf8(METHOD)) as unknown),
  report: mergeReported(copyReported(FIRST_REPORT), copyReported(SECOND_REPORT)),
  reportUnits: unitsOf(() => mergeReported(copyReported(FIRST_REPORT), copyReported(SECOND_REPORT))),
});
// The peak counts from the report that is asked for before this.
board.onStop = () => {
  scanTwin();
  board.exit(0);
};
print({ event: 'ready' });
