import type { Identity } from '../identity.ts';
import type { DropMoment } from './fault.ts';

/** A device's connection, as far as faults act on it. */
export interface FaultyConnection {
  /** `undefined` before a CONNECT was accepted. */
  readonly grant: { readonly identity: Identity } | undefined;
  /** It goes silent. */
  stall(): void;
  close(reason: 'dropped', detail: string | undefined, abruptly: true): void;
}

/** What a connection asks of the faults; client ids of a CONNECT are claims. */
export interface DeviceFaults {
  /** Nothing is set: nothing else needs to be asked. */
  readonly isQuiet: boolean;
  /** The CONNACK code with which a CONNECT is refused. */
  refusal(identity: Identity | undefined): number | undefined;
  /** How long a CONNECT waits. */
  acceptDelayMs(identity: Identity | undefined): number;
  /** A CONNECT was accepted. */
  accepted(connection: FaultyConnection): void;
  /** How long bytes wait, each way. */
  delayMs(identity: Identity | undefined): number;
  /** Whether a message goes to the device twice. */
  duplicates(identity: Identity): boolean;
  /** Whether the connection breaks at a message. */
  dropsAt(moment: Exclude<DropMoment, 'once'>, identity: Identity): boolean;
}
