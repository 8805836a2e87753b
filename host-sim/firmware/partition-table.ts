import { readFileSync } from 'node:fs';

import { projectPath } from '../board/project-path.ts';

/** One row of an ESP-IDF partition table. */
export interface Partition {
  readonly label: string;
  /** As it stands in the file: `app`, `data`, `0x41`. */
  readonly type: string;
  readonly subtype: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly flags: readonly string[];
}

/** The labels that firmware and provisioning use. */
export const PARTITION = { nvs: 'nvs', nvsKeys: 'nvs_keys', signer: 'signer', durable: 'latchkey', otaData: 'otadata' } as const;

/**
 * Reads the CSV form of a partition table. Offsets are to be given: nothing is placed by itself.
 * @throws RangeError with the line that is wrong
 */
export function parsePartitionTable(text: string): Partition[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const content = line.replace(/#.*/, '').trim();
    if (content === '') return [];
    const [label = '', type = '', subtype = '', offset = '', size = '', flags = ''] = content.split(',').map((field) => field.trim());
    return [{
      label,
      type,
      subtype,
      offset: parseSize(offset, `line ${index + 1}: offset`),
      sizeBytes: parseSize(size, `line ${index + 1}: size`),
      flags: flags.split(':').filter((flag) => flag !== ''),
    }];
  });
}

export function readPartitionTable(file: string): Partition[] {
  return parsePartitionTable(readFileSync(projectPath(`manifests/${file}`), 'utf8'));
}

/** `4096`, `0x1000`, `4K`, `1M`. */
function parseSize(text: string, what: string): number {
  const [, digits, unit = ''] = /^(0x[0-9a-f]+|[0-9]+)([KM]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new RangeError(`${what}: expected a number such as 0x1000 or 4K, got "${text}"`);
  return Number(digits) * ({ K: 1024, M: 1024 * 1024 }[unit.toUpperCase()] ?? 1);
}
