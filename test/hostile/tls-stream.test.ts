import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { good } from './tls/cases.ts';
import { Harness } from './tls/harness.ts';
import { startRawServer } from './tls/raw-server.ts';
import type { RawServerOptions } from './tls/raw-server.ts';
import { chainOf, rootsOf, startStage } from './tls/scenario.ts';

const LINE = 'ping';
/** A prime, so that every kind of field is hit; the flight has about 1,500 bytes. */
const FLIP_STRIDE = 13;

let harness: Harness;
let roots: Buffer[];

beforeAll(async () => {
  harness = await Harness.start();
  roots = await rootsOf(good);
});

afterAll(() => harness.close());

async function withRawServer<T>(options: RawServerOptions, use: (port: number, flightBytes: () => number) => Promise<T>): Promise<T> {
  const chain = await chainOf(good.chain);
  const server = await startRawServer([chain[2]!, chain[1]!], options);
  try {
    return await use(server.port, server.flightBytes);
  } finally {
    await server.stop();
  }
}

describe('split in any way, the stream gives the same session', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 11, 13, 64, 257, 1000])('fed %d bytes at a time', async (chunk) => {
    await withRawServer({}, async (port) => {
      expect(await harness.connect({ host: good.host, port, roots, resume: false, chunk, send: LINE, expect: 5 })).toMatchObject({ ok: true, received: 5 });
    });
  });

  test.each([{ drip: true }, { coalesce: true }, { drip: true, coalesce: true }])('sent with %j', async (options) => {
    await withRawServer(options, async (port) => {
      expect(await harness.connect({ host: good.host, port, roots, resume: false, send: LINE, expect: 5 })).toMatchObject({ ok: true, received: 5 });
    });
  });

  test('resumed, byte for byte', async () => {
    const { server } = await startStage(good);
    try {
      const connection = { host: good.host, port: server.port, roots, chunk: 1, send: LINE, expect: 5 };
      expect(await harness.connect(connection)).toMatchObject({ ok: true, resumed: false });
      expect(await harness.connect(connection)).toMatchObject({ ok: true, resumed: true, received: 5 });
    } finally {
      await server.stop();
    }
  });
});

test('the largest record arrives whole, one byte at a time', async () => {
  await withRawServer({ fault: 'largest-record' }, async (port) => {
    expect(await harness.connect({ host: good.host, port, roots, resume: false, chunk: 1, send: LINE, expect: 16384 })).toMatchObject({ ok: true, received: 16384, checksum: 0 });
  });
});

test('a changed bit anywhere in the first flight of the server is refused', async () => {
  const flightBytes = await withRawServer({}, async (port, bytes) => {
    await harness.connect({ host: good.host, port, roots, resume: false });
    return bytes();
  });
  expect(flightBytes).toBeGreaterThan(800);
  const accepted: number[] = [];
  for (let flipByte = 0; flipByte < flightBytes; flipByte += FLIP_STRIDE) {
    await withRawServer({ flipByte }, async (port) => {
      const outcome = await harness.connect({ host: good.host, port, roots, resume: false });
      if (outcome.ok) accepted.push(flipByte);
      else expect(outcome.code).toMatch(/^ERR_(TLS_|CLOSED)/);
    });
  }
  expect(accepted).toEqual([]);
});
