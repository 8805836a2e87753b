import storage from 'embedded:storage/key-value';
import * as chip from 'latchkey/chip';
import Network, { kind } from 'latchkey/network';
import * as signer from 'latchkey/signer';
import Timer from 'timer';

import { NetworkLink } from '../ports/esp32/network-link.ts';
import { Esp32Port } from '../ports/esp32/port.ts';
import { runApplication } from './run.ts';
import { passesSelfTest, type Check } from './self-test.ts';
import { readSettings, SETTINGS_DOMAIN, type Settings } from './settings.ts';

/** What TLS, the network and the agent need from the C heap before they start; below it the first connection would fail half-way. */
const HEAP_FLOOR_BYTES = 96 * 1024;
/** Time for the last line to leave before a restart. */
const RESTART_AFTER_MS = 1000;

/** An expected failure of the start. */
class StartError extends Error {
  override name = 'StartError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const print = (line: string): void => chip.print(line);

function printError(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_START';
  print(JSON.stringify({ event: 'error', code, message: error instanceof Error ? error.message : String(error) }));
}

/** A fault of ours: the program is in an unknown state, so it starts again, having said why. */
function restartAfterFault(error: unknown): void {
  printError(error);
  Timer.set(() => chip.restart(), RESTART_AFTER_MS);
}

const CHECKS: readonly Check[] = [
  { name: 'partitions', run: () => chip.checkPartitions() },
  {
    name: 'heap',
    run: () => {
      const free = chip.freeBytes();
      if (free < HEAP_FLOOR_BYTES) throw new StartError('ERR_HEAP', `${free} bytes of C heap are free, ${HEAP_FLOOR_BYTES} are needed: take features out of the image, or a chip with more RAM`);
    },
  },
];

interface WifiSettings {
  readonly ssid: string | undefined;
  readonly password: string | undefined;
}

/** NVS answers by an exception that a namespace is not there, or that it cannot be read; the text is ESP-IDF's name of the error. */
function readChipSettings(): Settings & { readonly wifi: WifiSettings } {
  try {
    const texts = storage.open({ path: SETTINGS_DOMAIN, mode: 'r', format: 'string' });
    const text = (key: string): string | undefined => {
      const value = texts.read(key);
      return typeof value === 'string' ? value : undefined;
    };
    const wifi = { ssid: text('wifi-ssid'), password: text('wifi-pass') };
    texts.close();
    return { ...readSettings(), wifi };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (text.includes('NOT_FOUND')) throw new StartError('ERR_SETTINGS_MISSING', 'there are no settings on this board: latchkey provision');
    throw new StartError('ERR_NVS_UNREADABLE', `the settings cannot be read (${text}), they may be written under another key: latchkey provision writes them again`);
  }
}

function checkSettings({ agent, wifi }: Settings & { readonly wifi: WifiSettings }): void {
  if (agent.hub === undefined && agent.dpsScope === undefined) throw new StartError('ERR_SETTINGS_MISSING', 'the settings name no hub: latchkey provision');
  if (agent.token === undefined && signer.backend(0) === undefined) throw new StartError('ERR_KEYS_MISSING', 'there is no key on this board: latchkey provision');
  if (kind === 'wifi' && wifi.ssid === undefined) throw new StartError('ERR_SETTINGS_MISSING', 'the settings name no Wi-Fi: latchkey provision --wifi');
}

/** The application on an ESP32: self-test, settings, network, and then the same as on the virtual board. */
function main(): void {
  chip.start();
  const passed = passesSelfTest(CHECKS, print);
  print(JSON.stringify({ event: 'start', cause: chip.restartCause(), freeBytes: chip.freeBytes(), backends: [0, 1].map((slot) => signer.backend(slot) ?? null) }));
  if (!passed) throw new StartError('ERR_SELF_TEST', 'a check failed: nothing connects; the lines above say which and what to do');
  const settings = readChipSettings();
  checkSettings(settings);
  let isRunning = false;
  const link = new NetworkLink({
    Network,
    Timer,
    kind,
    ssid: kind === 'wifi' ? settings.wifi.ssid : undefined,
    password: settings.wifi.password,
    reason: chip.wifiReason,
    random: chip.random,
    onEvent: (event) => print(JSON.stringify(event)),
    onUp: () => {
      // Once: the agent notices by itself when its connection goes, and opens the next one.
      if (isRunning) return;
      isRunning = true;
      try {
        runOnChip(settings);
      } catch (error) {
        printError(error);
      }
    },
    onFault: restartAfterFault,
  });
  link.connect();
}

function runOnChip(settings: Settings): void {
  runApplication(settings, {
    print: (line) => {
      print(line);
      // The first proof that this image works: from here on the bootloader keeps it.
      if (line.startsWith('{"event":"connected"')) chip.confirmImage();
    },
    exit: (code) => print(`{"event":"exit","code":${code}}`),
    restart: chip.restart,
    random: chip.random,
    openPort: (options) => new Esp32Port(options, restartAfterFault),
  });
}

try {
  main();
} catch (error) {
  // It stays: a chip that restarts for ever says no more, and wears its flash.
  printError(error);
}
