import { afterEach, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emulatorLines } from '../../../host-sim/flashing/emulator-line.ts';
import { FlashWorld } from './flash-world.ts';

let world: FlashWorld | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

test('for an emulated chip the lines that start it are printed; they name flash and eFuses', async () => {
  world = await FlashWorld.open();
  const path = join(world.folder, 'flash.bin');
  writeFileSync(join(world.device, 'efuse.bin'), '');
  const { exitCode, stdout } = await world.run(['--chip', 'esp32c3-qemu', '--to-file', path]);
  expect(exitCode).toBe(0);
  const [, next, start = '', log] = stdout.trimEnd().split('\n');
  expect(next).toBe('next:');
  expect(start).toContain(`-drive file=${path},if=mtd,format=raw -drive file=${join(world.device, 'efuse.bin')},if=none,format=raw,id=efuse `);
  expect(log).toBe('  latchkey flash --chip esp32c3-qemu --port socket://localhost:5555 --log-only');
});

test.each([
  ['esp32c3-qemu', 'esp32c3', /^qemu-system-riscv32 -M esp32c3 .* driver=timer\.esp32c3\.timg,property=wdt_disable,value=true -nic user,model=open_eth -serial tcp:127\.0\.0\.1:5555,server=on &$/],
  ['esp32-qemu', 'esp32', /^qemu-system-xtensa -M esp32 -m 4M .* driver=timer\.esp32\.timg,/],
] as const)('%s has a machine of its own, and no console that a job in the background would stop at', (name, family, expected) => {
  const [start] = emulatorLines({ name, family }, 'flash.bin', undefined);
  expect(start).toMatch(expected);
  expect(start).toContain('-display none -monitor none');
  expect(start).not.toContain('efuse');
});

test('for a board there is nothing to start', async () => {
  world = await FlashWorld.open();
  const path = join(world.folder, 'flash.bin');
  expect((await world.run(['--to-file', path])).stdout).toBe(`6 files merged into ${path}\n`);
});
