import { formatClientId, type Identity } from '../identity.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import type { Presence } from '../twins/twin-format.ts';

/** What is kept of a connection when it is over. */
interface LastSeen {
  /** When its last connection began or ended; absent for who has never had one, and speaks HTTPS. */
  readonly changedMs?: number;
  readonly lastActivityMs: number;
  readonly modelId?: string;
}

/** When identities were here last. Of who is connected the hub asks the connection itself, so that a message costs nothing here. */
export class PresenceStore implements Durable {
  readonly prefix = 'presence';
  readonly #lastSeen = new Map<string, LastSeen>();
  readonly #recordListeners = new Set<(key: string, value: unknown) => void>();

  /** @throws TypeError for what is no record of it */
  constructor(records: Iterable<DurableRecord> = []) {
    for (const [key, value] of records) {
      const { changedMs, lastActivityMs, modelId } = (value ?? {}) as Partial<LastSeen>;
      if (typeof lastActivityMs !== 'number') throw new TypeError(`no record of a presence: ${JSON.stringify(key)}`);
      this.#lastSeen.set(key.slice(this.prefix.length + 1), { ...(typeof changedMs === 'number' ? { changedMs } : {}), lastActivityMs, ...(typeof modelId === 'string' ? { modelId } : {}) });
    }
  }

  /** A connection was accepted, or has ended. */
  note(identity: Identity, seen: LastSeen): void {
    const clientId = formatClientId(identity);
    this.#lastSeen.set(clientId, seen);
    this.#tell(clientId, seen);
  }

  /** It has sent or received something without a connection. */
  noteActivity(identity: Identity, lastActivityMs: number): void {
    this.note(identity, { ...this.#lastSeen.get(formatClientId(identity)), lastActivityMs });
  }

  delete(identity: Identity): void {
    const clientId = formatClientId(identity);
    if (this.#lastSeen.delete(clientId)) this.#tell(clientId, undefined);
  }

  /** Everybody of whom something is known. */
  clientIds(): readonly string[] {
    return [...this.#lastSeen.keys()];
  }

  /** Of an identity that is not connected now. */
  read(identity: Identity): Presence {
    return { connected: false, ...this.#lastSeen.get(formatClientId(identity)) };
  }

  *records(): Iterable<DurableRecord> {
    for (const [clientId, seen] of this.#lastSeen) yield [`${this.prefix}/${clientId}`, seen];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  #tell(clientId: string, seen: LastSeen | undefined): void {
    for (const listener of this.#recordListeners) listener(`${this.prefix}/${clientId}`, seen);
  }
}
