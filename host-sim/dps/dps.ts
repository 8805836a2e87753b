import type { Duplex } from 'node:stream';
import { generateKeyPair } from '../hub/access/symmetric-key.ts';
import { HubError } from '../hub/hub-error.ts';
import { DEFAULT_LIMITS } from '../hub/limits.ts';
import { listenTls, type ListenOptions, type Listener } from '../hub/listen.ts';
import type { Clock } from '../time/clock.ts';
import { decideDpsConnect } from './dps-access.ts';
import { DpsConnection } from './dps-connection.ts';
import type { DpsEvent } from './dps-events.ts';
import { Enrolments } from './enrolments.ts';
import { Registrations, type LinkedHub } from './registrations.ts';

/** The service says 3 s; a registration takes about as long. */
const RETRY_AFTER_SECONDS = 3;
const ASSIGNING_MS = 2_000;
const ID_SCOPE = /^0ne[0-9A-F]{8}$/i;

export interface DpsOptions {
  /** `0ne` and eight hexadecimal digits. */
  readonly idScope: string;
  readonly clock: Clock;
  /** The first is assigned where an enrolment names none. */
  readonly hubs: readonly LinkedHub[];
  readonly emit?: (event: DpsEvent) => void;
  /** How long a registration takes. */
  readonly assigningMs?: number;
  readonly retryAfterSeconds?: number;
}

/**
 * A local Device Provisioning Service, its device side over MQTT: symmetric keys, individual enrolments and groups. It puts devices into the registries
 * of the hubs that are linked to it.
 */
export class Dps {
  readonly idScope: string;
  readonly enrolments = new Enrolments();
  readonly #options: DpsOptions;
  readonly #registrations: Registrations;
  readonly #connections = new Set<DpsConnection>();
  readonly #listeners = new Set<Listener>();
  readonly #dummyKeys = generateKeyPair();

  /** @throws ERR_ID_SCOPE */
  constructor(options: DpsOptions) {
    if (!ID_SCOPE.test(options.idScope)) throw new HubError('ERR_ID_SCOPE', `no ID scope: ${JSON.stringify(options.idScope)}`, 'use 0ne and eight hexadecimal digits, such as 0ne0000C0DE');
    this.idScope = options.idScope;
    this.#options = options;
    const { clock, hubs, assigningMs = ASSIGNING_MS } = options;
    this.#registrations = new Registrations({ clock, hubs, assigningMs, emit: (event) => this.#emit(event) });
  }

  /** Takes the plaintext side of a device's connection; the stream is the service's from now on. */
  accept(stream: Duplex): void {
    const { clock, retryAfterSeconds = RETRY_AFTER_SECONDS } = this.#options;
    if (this.#connections.size >= DEFAULT_LIMITS.connections) {
      stream.on('error', () => {});
      return void stream.destroy();
    }
    this.#connections.add(new DpsConnection(stream, {
      clock,
      limits: DEFAULT_LIMITS,
      registrations: this.#registrations,
      retryAfterSeconds,
      decide: (packet) => decideDpsConnect(packet, { idScope: this.idScope, enrolments: this.enrolments, dummyKeys: this.#dummyKeys, nowMs: clock.now() }),
      emit: (event) => this.#emit(event),
      released: (connection) => this.#connections.delete(connection),
    }));
  }

  /** Accepts TLS connections on a port. @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
  async listen(options: ListenOptions): Promise<Listener> {
    const listener = await listenTls(options, DEFAULT_LIMITS, { accept: (stream) => this.accept(stream), failed: () => {} });
    this.#listeners.add(listener);
    return listener;
  }

  async close(): Promise<void> {
    this.#registrations.close();
    for (const connection of [...this.#connections]) connection.close();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    this.#listeners.clear();
  }

  #emit(event: DpsEvent): void {
    this.#options.emit?.(event);
  }
}
