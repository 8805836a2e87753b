import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findChip } from '../../../host-sim/firmware/chips.ts';
import { readPartitionTable } from '../../../host-sim/firmware/partition-table.ts';
import { planProvisioning } from '../../../host-sim/provisioning/plan.ts';
import { writeProvisionFolder } from '../../../host-sim/provisioning/provision-folder.ts';
import { installFakeEsptool, type EsptoolState, type FakeTool } from '../../fakes/chip-tools/fake-tools.ts';
import { runCommandLine, type CliRun, type CliWorld } from '../../fakes/cli-run.ts';
import { writeFirmware, type CHIP_IDS } from './firmware-images.ts';

export const C3 = { title: 'ESP32-C3', family: 'esp32c3', mac: '7c:df:a1:00:11:22' } as const;

/** A board whose log comes over TCP, as an emulator's does; it says `lines` to whoever connects. */
export class FlashWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'latchkey-flash-'));
  readonly firmware = join(this.folder, 'image');
  readonly device = join(this.folder, 'device');
  readonly port: string;
  readonly esptool: FakeTool<EsptoolState>;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>, options: FlashWorldOptions) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = `socket://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const boards = options.boards ?? { [this.port]: C3 };
    this.esptool = installFakeEsptool(join(this.folder, 'bin'), { major: 5, written: [], erased: [], calls: [], ...options.esptool, boards });
    writeFirmware(this.firmware, options.family);
    this.provision();
  }

  static async open(options: FlashWorldOptions = {}): Promise<FlashWorld> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      for (const line of options.lines ?? []) socket.write(`${line}\r\n`);
      if (options.ends === true) socket.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FlashWorld(server, sockets, options);
  }

  provision(): void {
    const chip = findChip('esp32c3');
    if (chip === undefined) throw new Error('no chip');
    const plan = planProvisioning({
      chip, partitions: readPartitionTable('partitions.csv'), settings: { hub: 'hub.example' }, signerBlock: 4, nvs: { type: 'plain' },
      key: { deviceKey: { bytes: Buffer.alloc(32, 1) }, place: 'partition', prefixes: ['hub.example/devices/dev1'] },
    });
    writeProvisionFolder(this.device, plan, { hub: 'hub.example', deviceId: 'dev1' });
  }

  run(args: readonly string[] = [], world: CliWorld = {}): Promise<CliRun> {
    const port = args.includes('--port') ? [] : ['--port', this.port];
    const chip = args.includes('--chip') ? [] : ['--chip', 'esp32c3'];
    const env = { PATH: [join(this.folder, 'bin'), process.env['PATH']].join(delimiter), ...world.env };
    return runCommandLine(['flash', ...chip, ...port, '--firmware', this.firmware, '--provision', this.device, '--timeout', '20s', ...args], { ...world, env });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface FlashWorldOptions {
  readonly lines?: readonly string[];
  /** The connection ends behind the lines. */
  readonly ends?: boolean;
  readonly esptool?: Partial<EsptoolState>;
  readonly boards?: EsptoolState['boards'];
  readonly family?: keyof typeof CHIP_IDS;
}
