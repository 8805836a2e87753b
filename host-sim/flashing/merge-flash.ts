import { readFileSync } from 'node:fs';
import { replaceFile } from '../board/replace-file.ts';
import { FLASH_SIZE_BYTES } from '../firmware/chips.ts';
import type { FlashPlan } from './firmware-files.ts';

/** Writes a whole flash as an emulator wants it: erased where no file lies. It may hold keys: mode 0600. */
export function writeMergedFlash(path: string, plan: FlashPlan): void {
  const flash = Buffer.alloc(FLASH_SIZE_BYTES, 0xff);
  for (const file of plan.files) {
    const content = readFileSync(file.path);
    content.copy(flash, file.offset);
    content.fill(0);
  }
  replaceFile(path, flash);
  flash.fill(0);
}
