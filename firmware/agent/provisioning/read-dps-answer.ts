import { JsonScanner, MAX_SCANNED_DEPTH, MORE, NAME_BEGAN, NAME_ENDED, REFUSED, VALUE_BEGAN, VALUE_ENDED } from '../json/json-scanner.ts';
import { unescapeJson } from '../json/unescape-json.ts';
import type { TextCodec } from '../text-codec.ts';

/** What is read of an answer of the service; the rest of it passes by. */
export interface DpsAnswer {
  operationId?: string;
  /** `assigning`, `assigned`, `failed`, `disabled`, or what the service invents. */
  status?: string;
  assignedHub?: string;
  deviceId?: string;
  /** Of the service, such as 401002. */
  errorCode?: number;
}

const QUOTE = 0x22;
const OPENING_BRACE = 0x7b;
/** `registrationState`. */
const MAX_NAME_BYTES = 17;
/** A host name, or a device id, each character an escape of six. */
const MAX_VALUE_BYTES = 6 * 253 + 2;

/**
 * Reads the few members that matter out of JSON from the network; no object is made of it, so that it can bring neither names nor depth into the
 * heap. `undefined`: it is no JSON object.
 */
export function readDpsAnswer(json: Uint8Array, text: Pick<TextCodec, 'decodeUtf8'>): DpsAnswer | undefined {
  const scanner = new JsonScanner({ maxDepth: MAX_SCANNED_DEPTH, namesTo: 2, valuesTo: 2 });
  const answer: DpsAnswer = {};
  /** Of the member that is open: at depth 1, and at depth 2 inside it. */
  const names = ['', '', ''];
  let began = 0;
  /** Of the value that began last, while nothing else has begun or ended: then it holds no other. */
  let scalarDepth = -1;
  let isObject = false;
  scanner.feed(json);
  for (;;) {
    switch (scanner.next()) {
      case NAME_BEGAN:
        began = scanner.mark;
        break;
      case VALUE_BEGAN:
        began = scanner.mark;
        scalarDepth = scanner.depth;
        if (scalarDepth === 0) isObject = scanner.first === OPENING_BRACE;
        else if (scalarDepth === 1) names[2] = '';
        break;
      case NAME_ENDED:
        names[scanner.depth] = scanner.mark - began <= MAX_NAME_BYTES ? text.decodeUtf8(json.subarray(began, scanner.mark)) : '';
        break;
      case VALUE_ENDED:
        if (scanner.depth > 0 && scanner.depth === scalarDepth) take(answer, scanner.depth, names, json.subarray(began, scanner.mark), text);
        scalarDepth = -1;
        break;
      case MORE:
        return scanner.end() === undefined && isObject ? answer : undefined;
      case REFUSED:
        return undefined;
    }
  }
}

function take(answer: DpsAnswer, depth: number, names: readonly string[], json: Uint8Array, text: Pick<TextCodec, 'decodeUtf8'>): void {
  if (json.length > MAX_VALUE_BYTES || (depth === 2 && names[1] !== 'registrationState')) return;
  const name = names[depth];
  if (name === 'errorCode') {
    const code = Number(text.decodeUtf8(json));
    if (Number.isSafeInteger(code)) answer.errorCode = code;
    return;
  }
  const value = (): string => (json[0] === QUOTE && json.length > 1 ? text.decodeUtf8(unescapeJson(json, 1, json.length - 1)) : '');
  if (depth === 1 && name === 'operationId') answer.operationId = value();
  else if (depth === 1 && name === 'status') answer.status = value();
  else if (depth === 2 && name === 'assignedHub') answer.assignedHub = value();
  else if (depth === 2 && name === 'deviceId') answer.deviceId = value();
}
