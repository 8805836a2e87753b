import type { RootUse } from '../agent/port.ts';

/** What the application tells a port. */
export interface PortOptions {
  /** The agent's `wake`. */
  readonly wake: () => void;
  /** Trust anchors, DER; asked for every connection. */
  readonly roots: (purpose?: RootUse) => readonly ArrayBuffer[];
  /** Whether to renew with a second connection beside the first, where memory holds one. */
  readonly roomForTwo: boolean;
}
