import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { useBoard } from '../fakes/board-fixture.ts';
import { BoardClient } from './tls/board-client.ts';
import { good, goodRsa } from './tls/cases.ts';
import { startStage, rootsOf } from './tls/scenario.ts';

const fixture = useBoard('32-bit');
const LINE = { send: 'ping', expect: 5 };

let rootHex: string;

beforeAll(async () => {
  rootHex = (await rootsOf(good))[0]!.toString('hex');
});

/** Runs `body` on the board with a good configuration at hand, and gives the lines it printed. */
async function run(body: string): Promise<readonly unknown[]> {
  const { lines, exit } = await fixture.run(`
    const Tls = hostModules["latchkey/tls"].default;
    const root = Uint8Array.from("${rootHex}".match(/../g), (pair) => parseInt(pair, 16)).buffer;
    const options = { host: "hub.latchkey.test", roots: [root] };
    const kind = (action) => { try { return { value: action() }; } catch (error) { return { name: error.name, code: error.code, message: error.message }; } };
    ${body}
    board.exit(0);
  `);
  expect(exit.code).toBe(0);
  return lines;
}

describe('the face in JavaScript', () => {
  test('a new engine has a ClientHello to send, wants more, and has no info yet', async () => {
    expect(await run(`
      const tls = new Tls(options);
      print({ done: tls.handshake(), first: [...new Uint8Array(tls.take(3))], rest: tls.take(9999).byteLength > 100, none: tls.take(10) === undefined,
        read: tls.read(10) === undefined, written: tls.write(new Uint8Array(5)), info: tls.info === undefined });
      tls.close();
    `)).toEqual([{ done: false, first: [22, 3, expect.any(Number)], rest: true, none: true, read: true, written: 0, info: true }]);
  });

  test('a failure has a code and a text; after it the alert is there, and every call gives the same failure', async () => {
    expect(await run(`
      const tls = new Tls(options);
      tls.handshake(); tls.take(9999);
      tls.feed(Uint8Array.from([22, 3, 3, 0, 4, 14, 0, 0, 0]).buffer);
      const failures = [kind(() => tls.handshake()), kind(() => tls.handshake()), kind(() => tls.read(1)), kind(() => tls.write(new Uint8Array(1)))];
      print({ first: failures[0], same: failures.every(({ code }) => code === failures[0].code), alert: new Uint8Array(tls.take(100))[0] });
      tls.close();
    `)).toEqual([{ first: { name: 'Error', code: 'ERR_TLS_PROTOCOL', message: expect.stringContaining('protocol') }, same: true, alert: 21 }]);
  });

  test.each([
    ['no options', 'new Tls()', 'TypeError', undefined],
    ['no new', 'Tls(options)', 'TypeError', undefined],
    ['a host that is no string', 'new Tls({ ...options, host: 7 })', 'TypeError', undefined],
    ['no roots', 'new Tls({ host: "a.test" })', 'TypeError', undefined],
    ['roots that are no buffers', 'new Tls({ ...options, roots: ["x"] })', 'TypeError', undefined],
    ['a detached root', 'new Tls({ ...options, roots: [{}] })', 'TypeError', undefined],
    ['a wrong host', 'new Tls({ ...options, host: "a..b" })', 'Error', 'ERR_TLS_CONFIG'],
    ['an empty list of roots', 'new Tls({ ...options, roots: [] })', 'Error', 'ERR_TLS_CONFIG'],
    ['a broken root', 'new Tls({ ...options, roots: [root.slice(1)] })', 'Error', 'ERR_TLS_CONFIG'],
    ['certificates without a slot', 'new Tls({ ...options, certificates: [root] })', 'TypeError', undefined],
    ['an empty key slot', 'new Tls({ ...options, certificates: [root], keySlot: 3 })', 'Error', 'ERR_SIGNER_SLOT'],
    ['a derived key slot', 'new Tls({ ...options, certificates: [root], keySlot: 8 })', 'RangeError', undefined],
    ['an option that throws', 'new Tls({ ...options, get resume() { throw new EvalError("mine"); } })', 'EvalError', undefined],
    ['another object as this', 'Tls.prototype.feed.call({}, new Uint8Array(1))', 'TypeError', undefined],
    ['a socket as this', 'Tls.prototype.read.call(TCP.prototype, 1)', 'TypeError', undefined],
    ['the prototype as this', 'Tls.prototype.handshake()', 'TypeError', undefined],
    ['nothing to feed', 'new Tls(options).feed()', 'TypeError', undefined],
    ['nothing to read', 'new Tls(options).read()', 'TypeError', undefined],
    ['a string to feed', 'new Tls(options).feed("x")', 'TypeError', undefined],
    ['a limit of 0', 'new Tls(options).take(0)', 'RangeError', undefined],
    ['a limit that is no number', 'new Tls(options).read("1")', 'TypeError', undefined],
    ['more ciphertext than a record', 'new Tls(options).feed(new Uint8Array(18438))', 'Error', 'ERR_TLS_PROTOCOL'],
  ])('%s is refused', async (_, expression, name, code) => {
    expect(await run(`print(kind(() => { ${expression.startsWith('new') ? `const it = ${expression}; it?.close?.();` : `${expression};`} }));`))
      .toEqual([expect.objectContaining(code === undefined ? { name } : { name, code })]);
  });

  test('a closed engine says so, and closing again does nothing', async () => {
    expect(await run(`
      const tls = new Tls(options);
      tls.close(); tls.close();
      print({ texts: ["feed", "take", "handshake", "read", "write", "end"].map((name) => kind(() => tls[name](name === "feed" || name === "write" ? new Uint8Array(1) : 1)).message) });
    `)).toEqual([{ texts: Array(6).fill('the TLS engine is closed') }]);
  });

  test('the self-test passes, and sessions can be dropped at any time', async () => {
    expect(await run('print({ tested: kind(() => Tls.selfTest()), dropped: kind(() => Tls.dropSessions()) });')).toEqual([{ tested: {}, dropped: {} }]);
  });

  test('subclasses work', async () => {
    expect(await run(`
      class Mine extends Tls { constructor() { super(options); } }
      const mine = new Mine();
      print({ own: mine instanceof Tls, done: mine.handshake(), taken: mine.take(1).byteLength });
      mine.close();
    `)).toEqual([{ own: true, done: false, taken: 1 }]);
  });
});

describe('on the C heap', () => {
  let client: BoardClient;

  beforeAll(async () => {
    client = await BoardClient.start(fixture);
  });

  afterAll(() => client.close());

  const bytes = async (): Promise<number> => (await client.board.report()).cHeapBytes ?? 0;

  test('nothing is left of connections, good and refused', async () => {
    const stages = await Promise.all([good, { ...good, raw: 'changed-finished' as const }].map((scenario) => startStage(scenario)));
    const [fine, broken] = stages;
    const round = async (): Promise<void> => {
      const target = { host: good.host, roots: fine!.roots, resume: false, ...LINE };
      expect(await client.connect({ ...target, port: fine!.server.port })).toMatchObject({ ok: true });
      expect(await client.connect({ ...target, port: fine!.server.port, host: 'other.test' })).toMatchObject({ code: 'ERR_TLS_HOSTNAME' });
      expect(await client.connect({ ...target, port: broken!.server.port })).toMatchObject({ code: 'ERR_TLS_PROTOCOL' });
      expect(await client.connect({ ...target, port: fine!.server.port, roots: [] })).toMatchObject({ code: 'ERR_TLS_CONFIG' });
    };
    try {
      await round();
      const before = await bytes();
      for (let i = 0; i < 5; i++) await round();
      expect(await bytes()).toBe(before);
    } finally {
      await Promise.all(stages.map(({ server }) => server.stop()));
    }
  });

  test('a session is kept for the next connection and gone when it is dropped', async () => {
    const { server, roots } = await startStage(goodRsa);
    try {
      const target = { host: goodRsa.host, port: server.port, roots, ...LINE };
      await client.connect({ ...target, resume: false });
      const before = await bytes();
      expect(await client.connect(target)).toMatchObject({ ok: true, resumed: false });
      expect(await bytes()).toBeGreaterThan(before);
      expect(await client.connect(target)).toMatchObject({ ok: true, resumed: true });
      await client.dropSessions();
      expect(await bytes()).toBe(before);
    } finally {
      await server.stop();
    }
  });

  test.each([[1], [30]])('%d engines that nobody closed are freed by the garbage collector', async (count) => {
    const { report, lines, exit } = await fixture.run(`
      const Tls = hostModules["latchkey/tls"].default;
      const root = Uint8Array.from("${rootHex}".match(/../g), (pair) => parseInt(pair, 16)).buffer;
      const before = board.computeUnits;
      for (let i = 0; i < ${count}; i++) new Tls({ host: "hub.latchkey.test", roots: [root] });
      print({ units: board.computeUnits - before });
      board.exit(0);
    `);
    expect(exit.code).toBe(0);
    expect((lines[0] as unknown as { units: number }).units).toBeGreaterThan(count * 2000);
    expect(report!.cHeapPeakBytes!).toBeGreaterThan(count * 30_000);
    expect(report!.cHeapBytes!).toBeLessThan(5_000);
  });
});
