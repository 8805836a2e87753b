import { beforeAll, beforeEach, afterEach, describe, expect, test } from '@jest/globals';

import { bundleForChip } from '../../host-sim/firmware/chip-bundle.ts';
import type { ChipBundle } from '../../host-sim/firmware/chip-bundle.ts';
import { recordEvidence } from '../evidence.ts';
import { FakeChip } from '../fakes/sdk/fake-chip.ts';
import { ScriptedHub } from '../fakes/scripted-hub.ts';

const HUB_ADDRESS = '10.0.0.1';
const CHECKS = ['partitions', 'heap', 'tls-expired', 'tls-host-name', 'tls-issuer', 'signer-store', 'signer-vector', 'tls'];

let bundle: ChipBundle;
let chip: FakeChip;
let hub: ScriptedHub;

beforeAll(async () => {
  bundle = await bundleForChip();
});

beforeEach(() => {
  chip = new FakeChip();
  chip.name('hub.test', HUB_ADDRESS);
  hub = new ScriptedHub(chip.time, chip.network, HUB_ADDRESS, 8883);
});

/** An exception that leaves a callback of the SDK restarts the chip. */
afterEach(() => expect(chip.aborts).toEqual([]));

const codesOf = (event: string): unknown[] => chip.events(event).map(({ code }) => code);

describe('an image on the SDK', () => {
  test('checks itself, joins the Wi-Fi, connects, and its messages are acknowledged', () => {
    chip.start(bundle);
    expect(chip.events('self-test')).toEqual(CHECKS.map((check) => ({ event: 'self-test', check, ok: true })));
    expect(chip.events('start')).toEqual([{ event: 'start', cause: 'power-on', freeBytes: 180_000, backends: ['efuse', null] }]);
    expect(chip.runUntilEvent('connected')).toBe(true);
    expect(chip.lines.map(({ event }) => event).filter((event) => ['wifi', 'network', 'connecting', 'connected'].includes(event))).toEqual(['wifi', 'wifi', 'network', 'connecting', 'connected']);
    expect(chip.time.runUntil(() => hub.received.length >= 10, 60_000)).toBe(true);
    expect(chip.runUntilEvent('telemetry')).toBe(true);
    expect(chip.events('telemetry').at(-1)?.acked).toBeGreaterThan(0);
  });

  test('renews its token beside the connection that works, for hours, and loses nothing', () => {
    chip.settings = { ...chip.settings, ttl: '60' };
    chip.start(bundle);
    chip.time.advance(2 * 3600 * 1000);
    expect(chip.events('renewed').length).toBeGreaterThan(100);
    const numbers = hub.received.map((text) => (JSON.parse(text) as { n: number }).n);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.max(...numbers) - numbers.length).toBe(0);
    expect(chip.openTlsCount).toBeLessThanOrEqual(2);
    recordEvidence('esp32-port-renewals', chip.events('renewed').length);
  });

  test('tells the bootloader that it works when it is connected, not before', () => {
    chip.start(bundle);
    expect(chip.confirmations).toBe(0);
    chip.runUntilEvent('connected');
    expect(chip.confirmations).toBe(1);
  });

  test('signs with hub key n, derived from the secret, where the settings say so', () => {
    chip.settings = { ...chip.settings, keyn: '3' };
    chip.start(bundle);
    chip.runUntilEvent('connected');
    expect(chip.derived).toEqual(['0 latchkey-hub-key-v1\nhub.test\ndev1\n3 8']);
    expect(new Set(chip.signedSlots)).toEqual(new Set([8]));
  });

  test('keeps the clock floor in the durable partition', () => {
    chip.start(bundle);
    chip.runUntilEvent('connected');
    expect(chip.flash.operations).toBe(0); // no Date server: nothing confirmed, nothing written
  });
});

describe("the SDK's sockets", () => {
  test('deliver a message of the hub that is larger than one read, and what a reader left', () => {
    chip.start(bundle);
    chip.runUntilEvent('connected');
    hub.current?.send({ cmd: 'publish', topic: 'devices/dev1/messages/devicebound/', payload: Buffer.alloc(6000, 'x'), qos: 1, messageId: 5, dup: false, retain: false });
    expect(chip.runUntilEvent('message')).toBe(true);
    expect(chip.events('message')[0]).toMatchObject({ byteCount: 6000 });
  });

  test('that are all in use are a failed connection, and another try', () => {
    chip.freeSockets = 0;
    chip.start(bundle);
    expect(chip.runUntilEvent('open-failed')).toBe(true);
    chip.freeSockets = 8;
    expect(chip.runUntilEvent('connected', 120_000)).toBe(true);
  });

  test('that are cut under a write are a lost link, and another connection', () => {
    chip.start(bundle);
    chip.runUntilEvent('connected');
    chip.network.cut();
    expect(chip.runUntilEvent('connected', 120_000, 2)).toBe(true);
    expect(chip.events('disconnected').length).toBeGreaterThan(0);
  });

  test('leave nothing open after an hour of cuts', () => {
    chip.start(bundle);
    chip.runUntilEvent('connected');
    for (let i = 0; i < 60; i++) {
      chip.time.advance(60_000);
      chip.network.cut();
    }
    chip.time.advance(60_000);
    expect(chip.openTlsCount).toBe(1);
    expect(chip.freeSockets).toBe(7);
  });
});

describe('names', () => {
  test('come from the servers that DHCP gave, and from the new ones when they change', () => {
    chip.nameServers = '10.0.0.54';
    chip.answerNames('10.0.0.54');
    chip.start(bundle);
    expect(chip.runUntilEvent('connected')).toBe(true);
    chip.nameServers = '10.0.0.55';
    chip.answerNames('10.0.0.54', () => 'hub.test=');
    chip.answerNames('10.0.0.55');
    chip.network.cut();
    expect(chip.runUntilEvent('connected', 120_000, 2)).toBe(true);
  });

  test.each([['malformed packets', 'garbage'], ['empty packets', '']])('answered by %s do not restart the chip: the name is asked for again', (_, packet) => {
    chip.answerNames('10.0.0.53', () => packet);
    chip.start(bundle);
    expect(chip.runUntilEvent('open-failed', 120_000)).toBe(true);
    expect(codesOf('open-failed')[0]).toMatch(/ERR_DNS|ERR_TIMEOUT/);
    chip.answerNames('10.0.0.53');
    expect(chip.runUntilEvent('connected', 300_000)).toBe(true);
  });
});

describe('the Wi-Fi', () => {
  test('with a wrong password says so, tries again ever more slowly, and joins when it is right', () => {
    chip.station.accessPoint.password = 'another one';
    chip.start(bundle);
    chip.time.advance(10 * 60_000);
    const failures = chip.events('wifi').filter(({ state }) => state === 'failed');
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['ERR_WIFI_PASSWORD']));
    const retries = failures.map(({ retryMs }) => retryMs as number);
    expect(retries[0]).toBeLessThanOrEqual(1000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(60_000);
    expect(Math.max(...retries)).toBeGreaterThan(30_000);
    chip.station.accessPoint.password = 'secret pass';
    expect(chip.runUntilEvent('connected', 180_000)).toBe(true);
  });

  test('that is not there is named', () => {
    chip.station.accessPoint.ssid = 'other';
    chip.start(bundle);
    expect(chip.time.runUntil(() => codesOf('wifi').includes('ERR_WIFI_NOT_FOUND'), 60_000)).toBe(true);
  });

  test('without DHCP is told after half a minute, and tried again', () => {
    chip.station.accessPoint.hasDhcp = false;
    chip.start(bundle);
    expect(chip.time.runUntil(() => codesOf('wifi').includes('ERR_WIFI_ADDRESS'), 60_000)).toBe(true);
    chip.station.accessPoint.hasDhcp = true;
    expect(chip.runUntilEvent('connected', 180_000)).toBe(true);
  });

  test('that goes and comes back is joined again, and the agent connects again', () => {
    chip.start(bundle);
    chip.runUntilEvent('connected');
    chip.station.lose();
    chip.time.advance(5 * 60_000);
    expect(codesOf('wifi')).toContain('ERR_WIFI_LOST');
    chip.station.accessPoint.ssid = 'home';
    expect(chip.runUntilEvent('connected', 20 * 60_000, 2)).toBe(true);
    expect(chip.events('start')).toHaveLength(1);
  });

  test('that is open is joined without a password', () => {
    delete chip.settings?.['wifi-pass'];
    chip.station.accessPoint.password = undefined;
    chip.start(bundle);
    expect(chip.runUntilEvent('connected')).toBe(true);
    expect(chip.station.tries).toEqual([{ SSID: 'home' }]);
  });

  test('password stands in no line', () => {
    chip.station.accessPoint.password = 'another one';
    chip.start(bundle);
    chip.time.advance(60_000);
    expect(JSON.stringify(chip.lines)).not.toContain('secret pass');
  });
});

describe('nothing connects, and the line says what to do,', () => {
  const failures: readonly (readonly [string, string, string])[] = [
    ['when an expired chain is not refused', 'expired', 'ERR_TLS_SELF_TEST'],
    ['when a wrong host is not refused', 'host-name', 'ERR_TLS_SELF_TEST'],
    ["when the signer's block is not burnt", 'check', 'ERR_SIGNER_EFUSE_UNBURNT'],
    ['when the signature vector is wrong', 'selfTest', 'ERR_SIGNER_SELF_TEST'],
    ['when a partition is missing', 'partitions', 'ERR_PARTITIONS'],
  ];

  test.each(failures)('%s', (_, name, code) => {
    chip.failing.set(name, code);
    chip.start(bundle);
    chip.time.advance(3600 * 1000);
    const failed = chip.events('self-test').filter(({ ok }) => ok === false);
    expect(failed).toEqual([expect.objectContaining({ code, message: expect.stringMatching(/./) })]);
    expect(chip.events('self-test')).toHaveLength(CHECKS.length);
    expect(codesOf('error')).toEqual(['ERR_SELF_TEST']);
    expect(chip.station.tries).toEqual([]);
    expect(chip.restarts).toBe(0);
  });

  test('when too little heap is free', () => {
    chip.freeBytes = 60_000;
    chip.start(bundle);
    expect(chip.events('self-test').filter(({ ok }) => ok === false)).toEqual([expect.objectContaining({ check: 'heap', code: 'ERR_HEAP' })]);
    expect(chip.station.tries).toEqual([]);
  });

  test.each([
    ['when there are no settings', () => (chip.settings = undefined), 'ERR_SETTINGS_MISSING', /latchkey provision/],
    ['when NVS cannot be read', () => (chip.nvsError = 'ESP_ERR_NVS_INVALID_STATE'), 'ERR_NVS_UNREADABLE', /ESP_ERR_NVS_INVALID_STATE.*latchkey provision/],
    ['when a setting is of another type', () => (chip.settings = { ...chip.settings, hub: new ArrayBuffer(4) }), 'ERR_NVS_UNREADABLE', /mismatch/],
    ['when the settings name no hub', () => delete chip.settings?.hub, 'ERR_SETTINGS_MISSING', /latchkey provision/],
    ['when the settings name no Wi-Fi', () => delete chip.settings?.['wifi-ssid'], 'ERR_SETTINGS_MISSING', /--wifi/],
    ['when there is no key', () => (chip.backends[0] = undefined), 'ERR_KEYS_MISSING', /latchkey provision/],
  ])('%s', (_, change, code, remedy) => {
    change();
    chip.start(bundle);
    chip.time.advance(60_000);
    expect(chip.events('error')).toEqual([{ event: 'error', code, message: expect.stringMatching(remedy) }]);
    expect(chip.station.tries).toEqual([]);
  });

  test('when the settings are refused, once the network is there', () => {
    chip.settings = { ...chip.settings, ttl: '1' };
    chip.start(bundle);
    expect(chip.runUntilEvent('error')).toBe(true);
    expect(codesOf('error')).toEqual(['ERR_CONFIG']);
    expect(chip.restarts).toBe(0);
  });
});

describe('memory for one TLS session only', () => {
  test.each([['little is free', 50_000, 40_000], ['it is in pieces', 180_000, 20_000]])('means that a renewal closes before it opens, when %s', (_, free, largest) => {
    chip.settings = { ...chip.settings, ttl: '60' };
    chip.start(bundle);
    chip.runUntilEvent('connected');
    [chip.freeBytes, chip.largestFreeBytes] = [free, largest];
    let most = 0;
    chip.time.runUntil(() => {
      most = Math.max(most, chip.openTlsCount);
      return chip.events('renewed').length + chip.events('connected').length >= 4;
    }, 10 * 60_000);
    expect(most).toBe(1);
  });
});

test('no time server: that is said, and the board goes by its own clock', () => {
  chip.settings = { ...chip.settings, ntp0: '10.0.0.123', ntp1: '10.0.0.124' };
  chip.start(bundle);
  expect(chip.runUntilEvent('clock-trouble')).toBe(true);
  expect(codesOf('clock-trouble')).toContain('ERR_NTP_SILENT');
  expect(chip.runUntilEvent('connected', 120_000)).toBe(true);
});
