import type { Port } from '../agent/port.ts';
import type { PortOptions } from '../ports/port-options.ts';

/** What the application is given by the board that it runs on. */
export interface ApplicationHost {
  /** One JSON line. */
  print(line: string): void;
  /** The work is done, or cannot be: 0, or what went wrong. */
  exit(code: number): void;
  /** Starts the device anew. */
  restart(): void;
  /** Uniform in [0, 1). */
  random(): number;
  openPort(options: PortOptions): Port;
}
