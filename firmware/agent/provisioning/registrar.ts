import type { Application } from '../application.ts';
import type { AgentConfig } from '../config.ts';
import { quickConnects, type Connectivity } from '../connectivity.ts';
import type { Port } from '../port.ts';
import type { AssignmentStore } from './assignment-store.ts';
import type { DpsConfig } from './dps-config.ts';
import { mustRegister } from './must-register.ts';
import { Registration, type RegistrationFailure, type RegistrationOutcome, type RegistrationOwner } from './registration.ts';

export interface RegistrarOwner {
  nowMs(): number;
  readonly config: AgentConfig;
  /** The service has named a hub; `moved`: another than that of `config`. */
  hubAssigned(hub: string, moved: boolean): void;
  registrationFailed(failure: RegistrationFailure): void;
  /** `wakeAtMs` is earlier than it was. */
  registrarPlanned(): void;
}

/** Asks the provisioning service when it is time to, and keeps what it says. Between two registrations it holds nothing. */
export class Registrar implements RegistrationOwner {
  readonly #port: Port;
  readonly #target: DpsConfig;
  readonly #application: Application;
  readonly #owner: RegistrarOwner;
  readonly #store: AssignmentStore | undefined;
  #registration: Registration | undefined;

  constructor(port: Port, target: DpsConfig, application: Application, owner: RegistrarOwner, store: AssignmentStore | undefined) {
    this.#port = port;
    this.#target = target;
    this.#application = application;
    this.#owner = owner;
    this.#store = store;
  }

  get isBusy(): boolean {
    return this.#registration !== undefined;
  }

  get wakeAtMs(): number {
    return this.#registration?.wakeAtMs ?? Infinity;
  }

  mustRegister(state: Connectivity, keyCount: number): boolean {
    return mustRegister(state, this.#owner.config.identity.hub !== '', quickConnects(keyCount));
  }

  begin(keyIndex: number, serial: number): void {
    const { config } = this.#owner;
    const slot = config.credential.type === 'key' ? (config.credential.slots[keyIndex] ?? 0) : 0;
    const registration = new Registration(this.#port, { config, target: this.#target, slot, serial }, this);
    this.#registration = registration;
    this.#application.report({ type: 'registering', host: this.#target.host, port: this.#target.port });
    // The application may have stopped the agent in that event.
    if (this.#registration === registration) registration.open();
  }

  /** Without a word. */
  end(): void {
    this.#registration?.close();
    this.#registration = undefined;
  }

  /** As if the registration had failed with `code`. */
  interrupt(code: string): void {
    if (this.isBusy) this.registrationEnded({ code, kind: 'network' });
  }

  woke(nowMs: number): void {
    this.#registration?.woke(nowMs);
  }

  nowMs(): number {
    return this.#owner.nowMs();
  }

  registrationPlanned(): void {
    this.#owner.registrarPlanned();
  }

  registrationEnded(outcome: RegistrationOutcome): void {
    this.end();
    if ('hub' in outcome) return this.#assigned(outcome.hub);
    this.#application.report({ type: 'registration-failed', code: outcome.code, serviceCode: outcome.serviceCode });
    this.#owner.registrationFailed(outcome);
  }

  #assigned(hub: string): void {
    const moved = hub.toLowerCase() !== this.#owner.config.identity.hub.toLowerCase();
    this.#application.report({ type: 'registered', hub, moved, saved: !moved || this.#save(hub) });
    this.#owner.hubAssigned(hub, moved);
  }

  #save(hub: string): boolean {
    try {
      this.#store?.save(hub);
      return this.#store !== undefined;
    } catch {
      return false;
    }
  }
}
