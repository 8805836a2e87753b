import { test } from '@jest/globals';
import fc from 'fast-check';
import { headerCrc, itemCrc } from '../../../host-sim/nvs/format.ts';
import { NvsError } from '../../../host-sim/nvs/nvs-error.ts';
import { decodeNvs } from '../../../host-sim/nvs/nvs-reader.ts';
import { encodeNvs } from '../../../host-sim/nvs/nvs-writer.ts';

const IMAGE = encodeNvs([
  { namespace: 'a', key: 'text', type: 'string', value: 'x'.repeat(70) },
  { namespace: 'a', key: 'blob', type: 'blob', value: new Uint8Array(5000).fill(3) },
  { namespace: 'b', key: 'number', type: 'u32', value: 7 },
], { sizeBytes: 12_288 });

/** Reads it, or says in its own words why not. */
function readsOrRefuses(image: Uint8Array): void {
  try {
    decodeNvs(image);
  } catch (error) {
    if (!(error instanceof NvsError)) throw error;
  }
}

test('bytes of any kind are read or refused, and nothing else happens', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 0, maxLength: 2 }), fc.array(fc.tuple(fc.nat(12_287), fc.nat(255)), { maxLength: 20 }), (tail, changes) => {
    const image = Buffer.concat([IMAGE, tail]);
    for (const [at, value] of changes) image[at] = value;
    readsOrRefuses(image);
  }), { numRuns: 300, seed: 7 });
});

test('items whose CRCs are right but whose fields lie are read or refused', () => {
  fc.assert(fc.property(fc.nat(3), fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(255), (index, fields, state) => {
    const image = Buffer.from(IMAGE);
    const item = image.subarray(64 + index * 32, 96 + index * 32);
    item.set(fields);
    // A type that exists, half of the time.
    if (state % 2 === 0) item[1] = [0x01, 0x21, 0x42, 0x48][state % 4] ?? 0x48;
    item.writeUInt32LE(itemCrc(item), 4);
    image.writeUInt8(state | 0xaa, 32);
    image.writeUInt32LE(headerCrc(image), 28);
    readsOrRefuses(image);
  }), { numRuns: 500, seed: 7 });
});
