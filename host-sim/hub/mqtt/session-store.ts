import { formatClientId, parseClientId, type Identity } from '../identity.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import { Session } from './session.ts';

/** The sessions that outlive their connections: those of clean session 0. */
export class SessionStore implements Durable {
  readonly prefix = 'session';
  readonly #sessions = new Map<string, Session>();
  readonly #recordListeners = new Set<(key: string, value: unknown) => void>();

  /** @throws TypeError for what is no record of a session */
  constructor(records: Iterable<DurableRecord> = []) {
    for (const [key, value] of records) {
      const clientId = key.slice(this.prefix.length + 1);
      const identity = parseClientId(clientId);
      if (identity === undefined || typeof value !== 'object' || value === null) throw new TypeError(`no record of a session: ${JSON.stringify(key)}`);
      const session = this.#create(identity);
      for (const [filter, qos] of Object.entries(value)) session.subscribe(filter, qos === 0 ? 0 : 1);
      this.#sessions.set(clientId, session);
    }
  }

  /** [MQTT-3.1.2-6]: a clean session ends with its connection, and takes an older one with it. */
  open(identity: Identity, cleanSession: boolean): { readonly session: Session; readonly sessionPresent: boolean } {
    const clientId = formatClientId(identity);
    if (cleanSession) {
      this.delete(identity);
      return { session: new Session(identity), sessionPresent: false };
    }
    const kept = this.#sessions.get(clientId);
    if (kept !== undefined) return { session: kept, sessionPresent: true };
    const session = this.#create(identity);
    this.#sessions.set(clientId, session);
    this.#tell(clientId, formatSession(session));
    return { session, sessionPresent: false };
  }

  delete(identity: Identity): void {
    const clientId = formatClientId(identity);
    if (this.#sessions.delete(clientId)) this.#tell(clientId, undefined);
  }

  /** Everybody who has one. */
  clientIds(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  *records(): Iterable<DurableRecord> {
    for (const [clientId, session] of this.#sessions) yield [`${this.prefix}/${clientId}`, formatSession(session)];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  #create(identity: Identity): Session {
    const clientId = formatClientId(identity);
    const session: Session = new Session(identity, () => {
      if (this.#sessions.get(clientId) === session) this.#tell(clientId, formatSession(session));
    });
    return session;
  }

  #tell(clientId: string, value: unknown): void {
    for (const listener of this.#recordListeners) listener(`${this.prefix}/${clientId}`, value);
  }
}

/** Messages on their way are not kept: after the hub's end they are locked by nobody and come again. */
function formatSession(session: Session): object {
  return Object.fromEntries(session.subscriptions);
}
