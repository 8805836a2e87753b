import type { NvsEntry } from '../../../host-sim/nvs/format.ts';

export const NAMESPACE = 'latchkey';
export const ACTIVE = 0xfffffffe;
export const FULL = 0xfffffffc;
export const EMPTY = 0xffffffff;

export const number = (index: number): NvsEntry => ({ namespace: NAMESPACE, key: `k${index}`, type: 'u8', value: index % 256 });
export const numbers = (count: number): NvsEntry[] => Array.from({ length: count }, (_, index) => number(index));
export const blob = (byteCount: number, key = 'blob'): NvsEntry => ({ namespace: NAMESPACE, key, type: 'blob', value: Uint8Array.from({ length: byteCount }, (_, i) => i * 7) });
export const text = (byteCount: number, key = 'text'): NvsEntry => ({ namespace: NAMESPACE, key, type: 'string', value: 'x'.repeat(byteCount) });

/**
 * At every boundary of the format: what is written, the states of the pages afterwards, and the first 16 digits of the SHA-256 of the image.
 * The digests are those of what ESP-IDF's own NVS code makes of the same calls (components/nvs_flash/src at 10212290, run on a host against a
 * partition in memory); it leaves an empty partition untouched, where ours begins its first page.
 */
export const CASES: readonly (readonly [name: string, entries: readonly NvsEntry[], states: readonly number[], digest: string | undefined])[] = [
  ['nothing at all', [], [ACTIVE, EMPTY, EMPTY], undefined],
  ['125 numbers and their namespace: a full page stays active until the next entry', numbers(125), [ACTIVE, EMPTY, EMPTY], '2237432a2ced1ef1'],
  ['one number more: the page changes', numbers(126), [FULL, ACTIVE, EMPTY], '15a196ccbc5946f4'],
  ['a string of 3,999 bytes with its NUL: a whole page of its own behind the namespace', [text(3999)], [FULL, ACTIVE, EMPTY], '70a10a03f8c81a4d'],
  ['a string that fills the page to its last entry', [text(124 * 32 - 1)], [ACTIVE, EMPTY, EMPTY], 'b791a29f117afa73'],
  ['a string of one byte more goes to the next page whole', [text(124 * 32)], [FULL, ACTIVE, EMPTY], '4356da8bae6ed16f'],
  ['a blob of 4,000 bytes behind the namespace: two chunks', [blob(4000)], [FULL, ACTIVE, EMPTY], '034e62ebe401d756'],
  ['a blob that leaves one entry for its index', [blob(123 * 32)], [ACTIVE, EMPTY, EMPTY], 'a7bbf1fef1d03157'],
  ['a blob that leaves none: its index goes to the next page', [blob(124 * 32)], [FULL, ACTIVE, EMPTY], 'c229bba350eeecb9'],
  ['a blob that would begin in the last tenth of a page begins on the next', [...numbers(113), blob(400)], [FULL, ACTIVE, EMPTY], '3ca3eaabd240db12'],
  ['a blob over three pages', [blob(9000)], [FULL, FULL, ACTIVE, EMPTY], '87ed3d95c2c85332'],
  ['an empty blob and an empty string', [blob(0), text(0)], [ACTIVE, EMPTY, EMPTY], '7c988823194f748f'],
  ['a blob behind a page that has one free entry', [...numbers(124), blob(1)], [FULL, ACTIVE, EMPTY], 'dadca6e924a59252'],
  ['names of one and of fifteen characters', [{ ...number(1), key: 'k' }, { ...number(2), key: 'abcdefghijklmno', namespace: 'ABCDEFGHIJKLMNO' }], [ACTIVE, EMPTY, EMPTY], '1fccfddef9179341'],
  ['text outside ASCII', [{ namespace: NAMESPACE, key: 'ssid', type: 'string', value: 'Café 日本' }], [ACTIVE, EMPTY, EMPTY], 'c098c001d171a087'],
];
