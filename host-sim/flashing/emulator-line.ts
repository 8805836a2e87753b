import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Chip } from '../firmware/chips.ts';
import { shellLine, shellWord } from '../terminal/shell-word.ts';

/** Where the emulated board's serial line is; `latchkey flash --log-only` reads it there. */
const LOG_PORT = 5555;

/**
 * The lines that start an emulated chip from a whole flash, and show its log: for Espressif's QEMU.
 * @param folder what `latchkey provision` made; its `efuse.bin` holds what is burnt
 */
export function emulatorLines({ name, family }: Pick<Chip, 'name' | 'family'>, flash: string, folder: string | undefined): string[] {
  const efuses = folder === undefined ? undefined : join(folder, 'efuse.bin');
  const machine = family === 'esp32' ? ['qemu-system-xtensa', '-M', 'esp32', '-m', '4M'] : ['qemu-system-riscv32', '-M', family];
  const start = shellLine([
    ...machine, '-display', 'none', '-monitor', 'none', '-drive', `file=${flash},if=mtd,format=raw`,
    ...(efuses !== undefined && existsSync(efuses) ? ['-drive', `file=${efuses},if=none,format=raw,id=efuse`, '-global', `driver=nvram.${family}.efuse,property=drive,value=efuse`] : []),
    '-global', `driver=timer.${family}.timg,property=wdt_disable,value=true`, '-nic', 'user,model=open_eth', '-serial', `tcp:127.0.0.1:${LOG_PORT},server=on`,
  ]);
  return [`${start} &`, `latchkey flash --chip ${shellWord(name)} --port socket://localhost:${LOG_PORT} --log-only`];
}
