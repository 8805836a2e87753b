import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { recordEvidence } from '../../evidence.ts';
import { explainSilence, FIRST_STATE, readLogLine, type LogState, type Verdict } from '../../../host-sim/flashing/online.ts';

const ROM = 'ESP-ROM:esp32c3-api1-20210207';
const event = (fields: object): string => JSON.stringify(fields);
const wifiFailed = (code: string): string => event({ event: 'wifi', state: 'failed', code, retryMs: 1000 });
const openFailed = (code: string): string => event({ event: 'open-failed', code, retryMs: 500, online: false });

function read(lines: readonly string[]): { state: LogState; verdict: Verdict | undefined; atLine: number } {
  let state = FIRST_STATE;
  for (const [index, line] of lines.entries()) {
    const [next, verdict] = readLogLine(state, line);
    state = next;
    if (verdict !== undefined) return { state, verdict, atLine: index + 1 };
  }
  return { state, verdict: undefined, atLine: 0 };
}

const repeat = (line: string, times: number): string[] => Array.from({ length: times }, () => line);

const FAILING: readonly (readonly [string, readonly string[], string, string])[] = [
  ['a wrong Wi-Fi password, three times', repeat(wifiFailed('ERR_WIFI_PASSWORD'), 3), 'the access point refuses the Wi-Fi password', '--keep-key'],
  ['no such network', repeat(wifiFailed('ERR_WIFI_NOT_FOUND'), 3), 'no network with that name', '2.4 GHz'],
  ['no address', repeat(wifiFailed('ERR_WIFI_ADDRESS'), 3), 'no address', 'DHCP'],
  ['a hub whose root is not trusted', repeat(openFailed('ERR_TLS_UNTRUSTED_ISSUER'), 3), 'issuer that the board does not trust', '--gateway'],
  ['another name in the certificate', repeat(openFailed('ERR_TLS_HOSTNAME'), 3), 'another name', 'captive portal'],
  ['a key that no enrolment has', [event({ event: 'registration-failed', code: 'ERR_DPS_UNAUTHORIZED', serviceCode: 401002 }), event({ event: 'credential-refused', keyIndex: 0, clockChecked: true })], 'the provisioning service knows no such device or key', 'provision --dps-group'],
  ['an assigned hub that the key may not sign for', [event({ event: 'registration-failed', code: 'ERR_DPS_HUB' })], 'a hub that the key of the board may not sign for', '--hub NAME'],
  ['a key that the hub refuses', [event({ event: 'credential-refused', keyIndex: 0, clockChecked: true })], 'the hub refuses the device', 'az iot hub device-identity show'],
  ['an unburnt block', [event({ event: 'error', code: 'ERR_SIGNER_EFUSE_UNBURNT', message: '' })], 'is not burnt', '--burn'],
  ['an unprotected block', [event({ event: 'error', code: 'ERR_SIGNER_EFUSE_READABLE', message: '' })], 'can be read by software', '--new-key'],
  ['a writable block', [event({ event: 'error', code: 'ERR_SIGNER_EFUSE_WRITABLE', message: '' })], 'can be written to', '--new-key'],
  ['a block with another purpose', [event({ event: 'error', code: 'ERR_SIGNER_EFUSE_PURPOSE', message: '' })], 'another purpose than HMAC_UP', '--signer-block'],
  ['the block of NVS', [event({ event: 'error', code: 'ERR_SIGNER_EFUSE_BLOCK', message: '' })], 'encrypted settings', '--signer-block'],
  ['no key of the encrypted settings', [`garbage${event({ event: 'error', code: 'ERR_NVS_KEY_MISSING', message: '' })}`], 'holds no key', '--burn'],
  ['settings that cannot be read', [event({ event: 'error', code: 'ERR_NVS_UNREADABLE' })], 'cannot be read', '--release'],
  ['full settings', [event({ event: 'error', code: 'ERR_NVS_FULL' })], 'no room', 'partitions.csv'],
  ['an unprovisioned board', [event({ event: 'error', code: 'ERR_SETTINGS_MISSING' })], 'no settings', '--release'],
  ['a key for another device', [event({ event: 'sign-failed', code: 'ERR_SIGNER_RESOURCE' })], 'bound to another hub or device', 'provision'],
  ['a self-test that fails', [event({ event: 'self-test', check: 'tls', ok: false, code: 'ERR_TLS_SELF_TEST' }), event({ event: 'self-test', check: 'heap', ok: true }), event({ event: 'error', code: 'ERR_SELF_TEST' })], 'does not refuse a bad certificate chain', 'HAVE_TIME_DATE'],
  ['a self-test without a code', [event({ event: 'self-test', check: 'heap', ok: false }), event({ event: 'error', code: 'ERR_SELF_TEST' })], 'a self-test failed', 'flash again'],
  ['an empty flash', repeat('invalid header: 0xffffffff', 2), 'nothing in the flash that starts', 'flash it again'],
  ['a damaged image', repeat('E (123) esp_image: Checksum failed. Calculated 0x12 read 0x34', 2), 'image in the flash is damaged', 'latchkey flash'],
  ['a weak supply', repeat('Brownout detector was triggered', 2), 'supply voltage', 'cable'],
  ['a firmware that aborts, twice', repeat('abort() was called at PC 0x4038a2b1 on core 0', 2), 'the firmware gave up', 'more RAM'],
  ['a firmware that crashes, twice', repeat("Guru Meditation Error: Core  0 panic'ed (Load access fault).", 2), 'the firmware gave up', 'without --release'],
  ['settings that are damaged', ['{"event":"error","code":"ERR_NVS_UNREADABLE","message":"ESP_ERR_NVS_NO_FREE_PAGES: the settings are damaged"}'], 'damaged', 'latchkey flash'],
  ['four starts', repeat(ROM, 4), 'restarts again and again', 'power supply'],
  ['four starts of a classic ESP32', repeat('ets Jul 29 2019 12:21:46', 4), 'restarts again and again', 'power supply'],
  ['an error without a code', [event({ event: 'error' })], 'the board says an error without a code', 'docs/flash.md'],
  ['a code that is none', [event({ event: 'error', code: '\u001b[2Jvalue' })], 'the board says something that is no code', 'docs/flash.md'],
  ['a code that every object knows', [event({ event: 'error', code: 'valueOf' })], 'the board says valueOf', 'docs/flash.md'],
  ['an unknown code', [event({ event: 'error', code: 'ERR_NEW' })], 'the board says ERR_NEW', 'docs/flash.md'],
];

test.each(FAILING)('%s ends the wait with the reason and the remedy, at the last line and not before', (_, lines, message, remedy) => {
  const { verdict, atLine } = read(['boot: ESP-IDF v6.0', 'I (31) spi_flash: detected chip', ...lines]);
  expect(verdict).toMatchObject({ type: 'failed', diagnosis: { message: expect.stringContaining(message), remedy: expect.stringContaining(remedy) } });
  expect(atLine).toBe(lines.length + 2);
});

test('the counted reasons ran', () => {
  recordEvidence('flash-log-reasons', FAILING.length);
});

test('online is online, whatever went wrong before', () => {
  const lines = [ROM, wifiFailed('ERR_WIFI_PASSWORD'), wifiFailed('ERR_WIFI_PASSWORD'), ROM, event({ event: 'clock-trouble', code: 'ERR_NTP_SILENT', detail: 0 }), openFailed('ERR_TIMEOUT'), event({ event: 'connected', sessionPresent: false })];
  expect(read(lines).verdict).toEqual({ type: 'online' });
});

test.each([
  [[], 'the board prints nothing', 'press RESET'],
  [[ROM, 'text'], 'nothing went wrong so far', '--timeout'],
  [[ROM, event({ event: 'clock-trouble', code: 'ERR_NTP_SILENT', detail: 0 })], 'no time server answers', '--ntp'],
  [[wifiFailed('ERR_WIFI_PASSWORD')], 'refuses the Wi-Fi password', '--keep-key'],
  [[event({ event: 'credential-refused', keyIndex: 0, clockChecked: false })], 'the hub refuses the device', 'registry'],
  [[openFailed('ERR_TIMEOUT')], 'the hub does not answer', '8883'],
  [[openFailed('ERR_TCP')], 'nobody takes the connection', 'hub --address'],
  [[openFailed('ERR_OTHER')], 'the board says ERR_OTHER', 'docs/flash.md'],
])('after the time has run out, %j says what it knows', (lines, message, remedy) => {
  const { state, verdict } = read(lines);
  expect(verdict).toBeUndefined();
  expect(explainSilence(state)).toMatchObject({ message: expect.stringContaining(message), remedy: expect.stringContaining(remedy) });
});

test.each(['{"event":"connec', '{"event":42}', '{"event":"error"', 'x'.repeat(10_000), '\u0000\u0001'])('noise on the line (%#) is no verdict', (line) => {
  expect(read([line]).verdict).toBeUndefined();
});

test('a log line of any kind leaves a state and no exception', () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.json().map((text) => `{"event":${text}}`), fc.string().map((code) => JSON.stringify({ event: 'error', code })))), (lines) => {
    let state = FIRST_STATE;
    for (const line of lines) [state] = readLogLine(state, line);
    expect(state.lineCount).toBe(lines.length);
  }), { numRuns: 300, seed: 7 });
});
