import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { EMPTY_EFUSES, installFakeEspefuse, type EspefuseState, type FakeTool } from '../../fakes/chip-tools/fake-tools.ts';
import { runCommandLine, type CliRun, type CliWorld } from '../../fakes/cli-run.ts';

export const HUB = 'myhub.azure-devices.net';
export const DEVICE = 'dev1';
/** 32 bytes, and what finds them in any dress. */
export const KEY = Buffer.from('5ecedbad5ecedbad0123456789abcdef5ecedbad5ecedbad0123456789abcdef', 'hex');
export const WIFI_PASSWORD = 'correct horse battery';

/** A folder with a connection string, a Wi-Fi password and an espefuse; commands run with nothing else on their path but mkfifo and stty. */
export class ProvisionWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'latchkey-provision-'));
  readonly out = join(this.folder, 'out');
  readonly efuse: FakeTool<EspefuseState>;

  constructor(efuses: Partial<EspefuseState> = {}) {
    this.efuse = installFakeEspefuse(join(this.folder, 'bin'), { ...EMPTY_EFUSES, ...efuses });
    this.write('device.txt', `HostName=${HUB};DeviceId=${DEVICE};SharedAccessKey=${KEY.toString('base64')}\n`);
    this.write('wifi.txt', `${WIFI_PASSWORD}\n`);
  }

  write(name: string, text: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  read(name: string): Buffer {
    return readFileSync(join(this.out, name));
  }

  files(): readonly (readonly [name: string, mode: number])[] {
    return readdirSync(this.out).sort().map((name) => [name, statSync(join(this.out, name)).mode & 0o777]);
  }

  /** `latchkey provision` for esp32c3 with Wi-Fi, unless `args` say otherwise. */
  run(args: readonly string[], world: CliWorld = {}): Promise<CliRun> {
    const chip = args.includes('--chip') ? [] : ['--chip', 'esp32c3'];
    const device = args.some((arg) => arg.startsWith('--connection-string') || arg.startsWith('--dps')) ? [] : ['--connection-string-file', join(this.folder, 'device.txt')];
    const network = args.some((arg) => arg.startsWith('--wifi') || arg === '--ethernet') ? [] : ['--wifi-ssid', 'home', '--wifi-password-file', join(this.folder, 'wifi.txt')];
    const env = { PATH: [join(this.folder, 'bin'), process.env['PATH']].join(delimiter), ...world.env };
    return runCommandLine(['provision', ...chip, ...device, ...network, '--out', this.out, ...args], { ...world, env });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The dresses in which key bytes could show. */
export function dressesOf(secret: Uint8Array): readonly string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const base64 = bytes.toString('base64');
  return [bytes.toString('latin1'), hex, hex.toUpperCase(), (hex.match(/../g) ?? []).join(' '), base64, base64.replaceAll('+', '-').replaceAll('/', '_'), base64.slice(0, 20)];
}
