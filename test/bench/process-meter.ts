import { readFileSync, readdirSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second (USER_HZ). */
const TICK_MS = 10;
const PAGE_BYTES = 4096;
/** Fields of /proc/PID/stat behind the name, from 0: utime, stime. */
const UTIME = 11;
const STIME = 12;

/** What another process uses, as the kernel counts it: the same for every program. */
export class ProcessMeter {
  readonly #pid: number;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Processor time since its start, in milliseconds. */
  cpuMs(): number {
    const fields = this.#read('stat').split(') ')[1]!.split(' ');
    return (Number(fields[UTIME]) + Number(fields[STIME])) * TICK_MS;
  }

  residentBytes(): number {
    return Number(this.#read('statm').split(' ')[1]) * PAGE_BYTES;
  }

  /** Open files and sockets: one more for every connection. */
  openFiles(): number {
    return readdirSync(`/proc/${this.#pid}/fd`).length;
  }

  #read(file: string): string {
    return readFileSync(`/proc/${this.#pid}/${file}`, 'utf8');
  }
}
