import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { MAX_ERASES_PER_HOUR } from '../../firmware/agent/roots/root-limits.ts';
import type { JsonObject } from '../../host-sim/hub/twins/json.ts';
import type { VirtualSocket } from '../../host-sim/time/virtual-socket.ts';
import { recordEvidence } from '../evidence.ts';
import type { HubBoard } from '../fakes/agent-board-hub.ts';
import { BUNDLE_HOST, digestOf, RootBoard, urlOf } from '../fakes/root-board.ts';
import { trusted } from '../fakes/root-bundles.ts';

let world: RootBoard;
let good: Buffer;
let answered = 0;

beforeAll(async () => void (world = await RootBoard.create()), 300_000);
afterEach(() => world.remove());

/** A connected device; `serve` answers whoever asks for a bundle. */
async function start(serve: (socket: VirtualSocket) => void, interval = 1000): Promise<HubBoard> {
  const run = await world.start({ interval });
  good = Buffer.from(await world.bundle([trusted(run.pki.root.certificateDer), trusted(world.other.root.certificateDer)]));
  world.answerBy(serve);
  await run.board.untilEvent('connected');
  return run;
}

/** Everything at once, when the request has come. */
function answerWith(text: () => string | Buffer): (socket: VirtualSocket) => void {
  return (socket) => void socket.once('data', () => socket.end(text()));
}

const head = (fields: string, status = '200 OK'): string => `HTTP/1.1 ${status}\r\n${fields}\r\n`;
const ATTACKS: readonly (readonly [string, string, (socket: VirtualSocket) => void])[] = [
  ['a server that never answers', 'ERR_TIMEOUT', () => {}],
  ['a byte every ten seconds', 'ERR_TIMEOUT', (socket) => {
    socket.once('data', () => socket.write('H'));
    for (let byte = 1; byte < 5; byte++) world.run.board.clock.setTimer(byte * 10_000, () => socket.write('TTP/1'.charAt(byte - 1)));
  }],
  ['a head without an end', 'ERR_FETCH_FORMAT', answerWith(() => `HTTP/1.1 200 OK\r\n${'X-More: yes\r\n'.repeat(1000)}`)],
  ['chunks', 'ERR_FETCH_FORMAT', answerWith(() => `${head('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n0\r\n\r\n`)],
  ['chunks and a length', 'ERR_FETCH_FORMAT', answerWith(() => `${head('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')}hello`)],
  ['two lengths', 'ERR_FETCH_FORMAT', answerWith(() => `${head('Content-Length: 5\r\nContent-Length: 6\r\n')}hello!`)],
  ['no length', 'ERR_FETCH_FORMAT', answerWith(() => `${head('')}hello`)],
  ['a length below zero', 'ERR_FETCH_FORMAT', answerWith(() => head('Content-Length: -1\r\n'))],
  ['a length in hexadecimal', 'ERR_FETCH_FORMAT', answerWith(() => `${head('Content-Length: 0x5\r\n')}hello`)],
  ['a length of megabytes', 'ERR_FETCH_SIZE', answerWith(() => head('Content-Length: 99999999\r\n'))],
  ['a length that is too small', 'ERR_FETCH_FORMAT', answerWith(() => Buffer.concat([Buffer.from(head(`Content-Length: ${good.length - 1}\r\n`)), good]))],
  ['an early end', 'ERR_FETCH_FORMAT', answerWith(() => Buffer.concat([Buffer.from(head(`Content-Length: ${good.length}\r\n`)), good.subarray(0, 100)]))],
  ['a redirect', 'ERR_FETCH_STATUS', answerWith(() => head('Location: http://elsewhere.test/2.json\r\nContent-Length: 0\r\n', '302 Found'))],
  ['what is no HTTP', 'ERR_FETCH_FORMAT', answerWith(() => 'SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n')],
  ['a reset', 'ERR_FETCH_FORMAT', (socket) => void socket.once('data', () => socket.destroy())],
];

describe('a server of bundles that means ill', () => {
  test.each(ATTACKS)('%s: %s, and the device goes on', async (_, code, serve) => {
    const run = await start(serve);
    world.offer(urlOf(2));
    await run.board.untilEvent('roots-refused', { code });
    await run.board.runFor(5000);
    expect(run.board.events('disconnected')).toEqual([]);
    expect(run.board.events('roots-committed')).toEqual([]);
    // An honest server in the end: the offer still stands.
    world.answerBy(answerWith(() => Buffer.concat([Buffer.from(head(`Content-Length: ${good.length}\r\n`)), good])));
    await run.board.untilEvent('roots-passed', { version: 2 }, 7_200_000);
    answered += 1;
    if (answered === ATTACKS.length) recordEvidence('root-server-attacks', answered);
  });
});

describe('a service side that means ill', () => {
  const HOURS = 6;
  const part = (version: number, sha256: string, index: number, text: string): JsonObject => ({ version, sha256, parts: 2, index, part: text });
  const digestOfNumber = (n: number): string => digestOf(Buffer.from(String(n)));
  const whole = 'A'.repeat(3840);

  test('wears no flash out with parts of ever new bundles: at most four sector erases an hour', async () => {
    const run = await start(() => {}, 60_000);
    const { board } = run;
    const bytes = (): Buffer => Buffer.from(run.board.readFlash());
    let erases = 0;
    let before = bytes();
    for (let n = 0; n < HOURS * 60; n++) {
      world.offer({ rootsPart0: part(2, digestOfNumber(n), 0, whole) });
      await board.runFor(60_000);
      const after = bytes();
      for (let block = 0; block < 14; block++) erases += Number(wasErased(before, after, block));
      before = after;
    }
    expect(erases).toBeGreaterThan(0);
    expect(erases).toBeLessThanOrEqual(HOURS * MAX_ERASES_PER_HOUR);
    expect(board.events('roots-refused').filter(({ code }) => code === 'ERR_BUNDLE_RATE').length).toBeGreaterThan(HOURS * 30);
    expect(board.events('disconnected')).toEqual([]);
    recordEvidence('root-flood-offers', HOURS * 60);
  });

  test.each<readonly [string, string, JsonObject]>([
    ['a version far ahead, in parts', 'ERR_BUNDLE_VERSION', { rootsPart0: part(2 ** 31 - 1, digestOfNumber(0), 0, whole) }],
    ['a version beyond all versions', 'ERR_BUNDLE_FORMAT', { rootsPart0: part(2 ** 31, digestOfNumber(0), 0, whole) }],
    ['a version far ahead, by a URL that names no version', 'ERR_BUNDLE_VERSION', { roots: { version: 2 ** 31 - 1, url: `http://${BUNDLE_HOST}/last` } }],
    ['a URL with a line break', 'ERR_BUNDLE_FORMAT', { roots: { version: 2, url: `http://${BUNDLE_HOST}/2.json HTTP/1.0\r\nX: y` } }],
    ['a URL with credentials', 'ERR_BUNDLE_FORMAT', { roots: { version: 2, url: `http://user:pass@${BUNDLE_HOST}/2.json` } }],
    ['a URL with a port in hexadecimal', 'ERR_BUNDLE_FORMAT', { roots: { version: 2, url: `http://${BUNDLE_HOST}:0x50/2.json` } }],
    ['a URL of HTTPS', 'ERR_BUNDLE_FORMAT', { roots: { version: 2, url: `https://${BUNDLE_HOST}/2.json` } }],
    ['a part of another size', 'ERR_BUNDLE_PART', { rootsPart0: part(2, digestOfNumber(0), 0, 'AAAA') }],
    ['a part that is no base64url', 'ERR_BUNDLE_FORMAT', { rootsPart0: part(2, digestOfNumber(0), 0, '+'.repeat(3840)) }],
  ])('%s: %s', async (_, code, desired) => {
    const run = await start(() => {});
    world.offer(desired);
    await run.board.untilEvent('roots-refused', { code });
    await run.board.runFor(2000);
    expect(run.board.events('disconnected')).toEqual([]);
    expect(world.reportedRoots).toMatchObject({ version: 1, state: 'committed', error: code });
  });
});

/** A bit that was 0 and is 1. */
function wasErased(before: Buffer, after: Buffer, block: number): boolean {
  for (let at = block * 4096; at < (block + 1) * 4096; at++) if ((~before[at]! & after[at]! & 0xff) !== 0) return true;
  return false;
}
