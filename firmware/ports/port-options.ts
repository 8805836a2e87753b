/** What the application tells a port. */
export interface PortOptions {
  /** The agent's `wake`. */
  readonly wake: () => void;
  /** Trust anchors, DER; asked for every connection. */
  readonly roots: () => readonly ArrayBuffer[];
  /** Whether to renew with a second connection beside the first, where memory holds one. */
  readonly roomForTwo: boolean;
}
