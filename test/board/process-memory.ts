import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Larger regions are not a board's. */
const MAX_REGION_BYTES = 256 * 1024 * 1024;

/**
 * All memory of a child process that it can write to: heaps, stacks, data, and what it has freed. It is read from outside, so that the
 * search for traces does not cover them: code of the process itself would run on the stack that it searches. Linux only.
 */
export function readProcessMemory(pid: number): Buffer {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return Buffer.concat(writableRegions(pid).map(({ start, byteCount }) => readRegion(memory, start, byteCount)));
  } finally {
    closeSync(memory);
  }
}

function writableRegions(pid: number): { start: bigint; byteCount: number }[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) return [];
      const start = BigInt(`0x${from}`);
      const byteCount = Number(BigInt(`0x${to}`) - start);
      return byteCount <= MAX_REGION_BYTES ? [{ start, byteCount }] : [];
    });
}

function readRegion(memory: number, start: bigint, byteCount: number): Buffer {
  const region = Buffer.alloc(byteCount);
  let filled = 0;
  while (filled < byteCount) {
    const count = readSync(memory, region, { offset: filled, length: byteCount - filled, position: start + BigInt(filled) });
    if (count === 0) throw new Error(`/proc: the region at ${start} ends ${byteCount - filled} bytes early`);
    filled += count;
  }
  return region;
}
