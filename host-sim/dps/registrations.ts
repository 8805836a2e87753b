import { isIdentityName } from '../hub/identity.ts';
import type { Registry } from '../hub/registry/registry.ts';
import type { Clock } from '../time/clock.ts';
import type { DpsEvent } from './dps-events.ts';
import type { MatchedEnrolment } from './enrolments.ts';

/** A hub that the service may assign. */
export interface LinkedHub {
  readonly hubName: string;
  readonly registry: Registry;
}

/** As the device API writes it. */
export interface RegistrationState {
  readonly registrationId: string;
  readonly createdDateTimeUtc: string;
  readonly status: 'assigning' | 'assigned' | 'failed' | 'disabled';
  readonly assignedHub?: string;
  readonly deviceId?: string;
  readonly substatus?: string;
  readonly errorCode?: number;
  readonly errorMessage?: string;
  readonly lastUpdatedDateTimeUtc: string;
  readonly etag: string;
}

export interface OperationStatus {
  readonly operationId: string;
  readonly status: RegistrationState['status'];
  readonly registrationState?: RegistrationState;
}

export interface RegistrationsOptions {
  readonly clock: Clock;
  /** In the order in which they are preferred. */
  readonly hubs: readonly LinkedHub[];
  /** How long a registration takes. */
  readonly assigningMs: number;
  readonly emit: (event: DpsEvent) => void;
}

interface Operation {
  readonly operationId: string;
  state: RegistrationState;
}

/** What has become of each registration: one operation at a time, and where the device was put last. */
export class Registrations {
  readonly #options: RegistrationsOptions;
  readonly #operations = new Map<string, Operation>();
  readonly #assignments = new Map<string, { readonly hub: LinkedHub; readonly deviceId: string }>();
  readonly #cancels = new Set<() => void>();
  #count = 0;

  constructor(options: RegistrationsOptions) {
    this.#options = options;
  }

  /** Begins a registration; the one of before is forgotten. */
  begin(registrationId: string, enrolment: MatchedEnrolment): OperationStatus {
    this.#count += 1;
    const now = this.#now();
    const operationId = `5.${this.#count.toString(16).padStart(16, '0')}.${crypto.randomUUID()}`;
    const operation: Operation = { operationId, state: { registrationId, createdDateTimeUtc: now, status: 'assigning', lastUpdatedDateTimeUtc: now, etag: this.#etag() } };
    this.#operations.set(registrationId, operation);
    if (enrolment.enabled === false) {
      this.#fail(operation, 'disabled', 403_201, 'the enrolment is disabled');
      return format(operation);
    }
    const cancel = this.#options.clock.setTimer(this.#options.assigningMs, () => {
      this.#cancels.delete(cancel);
      if (this.#operations.get(registrationId) === operation) this.#assign(operation, enrolment);
    });
    this.#cancels.add(cancel);
    return format(operation);
  }

  /** `undefined`: this registration has no such operation. */
  find(registrationId: string, operationId: string): OperationStatus | undefined {
    const operation = this.#operations.get(registrationId);
    return operation?.operationId === operationId ? format(operation) : undefined;
  }

  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #assign(operation: Operation, enrolment: MatchedEnrolment): void {
    const { registrationId } = operation.state;
    const { hubs, emit } = this.#options;
    const hub = enrolment.hubName === undefined ? hubs[0] : hubs.find(({ hubName }) => hubName === enrolment.hubName);
    const deviceId = enrolment.type === 'individual' ? (enrolment.deviceId ?? registrationId) : registrationId;
    if (hub === undefined) return this.#fail(operation, 'failed', 404_204, 'the hub of the enrolment is not linked to this service');
    if (!isIdentityName(deviceId)) return this.#fail(operation, 'failed', 400_209, 'the device id of the enrolment is none of IoT Hub');
    const substatus = this.#place(registrationId, hub, deviceId, enrolment);
    operation.state = { ...operation.state, status: 'assigned', assignedHub: hub.hubName, deviceId, substatus, lastUpdatedDateTimeUtc: this.#now(), etag: this.#etag() };
    emit({ event: 'dpsAssigned', registrationId, deviceId, hubName: hub.hubName, substatus });
  }

  /** Puts the device into the hub's registry with the enrolment's keys; out of the hub where it was before. A device that is disabled there stays so. */
  #place(registrationId: string, hub: LinkedHub, deviceId: string, { keys }: MatchedEnrolment): string {
    const old = this.#assignments.get(registrationId);
    const isMoved = old !== undefined && (old.hub !== hub || old.deviceId !== deviceId);
    if (isMoved && old.hub.registry.find({ deviceId: old.deviceId }) !== undefined) old.hub.registry.remove({ deviceId: old.deviceId });
    const known = hub.registry.find({ deviceId });
    if (known === undefined) hub.registry.add({ deviceId }, { keys });
    else if (Buffer.compare(known.keys.primary, keys.primary) !== 0) hub.registry.setKeys({ deviceId }, keys);
    this.#assignments.set(registrationId, { hub, deviceId });
    return isMoved ? 'deviceDataReset' : 'initialAssignment';
  }

  #fail(operation: Operation, status: 'failed' | 'disabled', errorCode: number, errorMessage: string): void {
    const { registrationId } = operation.state;
    operation.state = { ...operation.state, status, errorCode, errorMessage, lastUpdatedDateTimeUtc: this.#now(), etag: this.#etag() };
    this.#options.emit({ event: 'dpsFailed', registrationId, status, code: errorCode, detail: errorMessage });
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  #etag(): string {
    return Buffer.from(`${this.#count}.${this.#options.clock.monotonicMs()}`).toString('base64');
  }
}

function format({ operationId, state }: Operation): OperationStatus {
  return state.status === 'assigning' ? { operationId, status: state.status } : { operationId, status: state.status, registrationState: state };
}
