import type { Clock } from '../../time/clock.ts';
import type { Identity } from '../identity.ts';
import { ServiceError } from '../service-error.ts';
import type { DeviceFaults, FaultyConnection } from './device-faults.ts';
import type { DropMoment, Fault, FaultCertificate, FaultEndpoint, FaultKind, FaultSpec } from './fault.ts';
import type { FaultEvent } from './fault-events.ts';
import { MAX_FAULTS } from './limits.ts';

/** What faults do to the hub. */
export interface FaultEffects {
  /** Connections of accepted devices. */
  connections(): readonly FaultyConnection[];
  setClockOffset(offsetMs: number): void;
}

/** Who shows the certificates: whoever opened the port. */
export interface CertificateSwitch {
  /** New connections of an endpoint get this one, all others the right one; `undefined`: the right one everywhere. */
  use(certificate: FaultCertificate | undefined, endpoint?: FaultEndpoint): Promise<void>;
}

type EndReason = Extract<FaultEvent, { event: 'faultEnded' }>['reason'];

interface ActiveFault {
  fault: Fault;
  cancelTimer: () => void;
  /** Connections that it has made silent. */
  readonly silent: Set<FaultyConnection>;
}

/** The faults that are set, in the order in which they were: of several that fit the first one happens. */
export class FaultControl implements DeviceFaults {
  readonly #clock: Clock;
  readonly #emit: (event: FaultEvent) => void;
  readonly #effects: FaultEffects;
  readonly #active = new Map<string, ActiveFault>();
  #certificates: CertificateSwitch | undefined;
  #made = 0;

  constructor(clock: Clock, emit: (event: FaultEvent) => void, effects: FaultEffects) {
    this.#clock = clock;
    this.#emit = emit;
    this.#effects = effects;
  }

  get isQuiet(): boolean {
    return this.#active.size === 0;
  }

  list(): readonly Fault[] {
    return [...this.#active.values()].map(({ fault }) => fault);
  }

  useCertificates(certificates: CertificateSwitch): void {
    this.#certificates = certificates;
  }

  /** @throws ServiceError 400003 (too many, or no certificates here) */
  async set(spec: FaultSpec): Promise<Fault> {
    if (this.#active.size >= MAX_FAULTS) throw new ServiceError(400, 400_003, 'InvalidOperation', `${MAX_FAULTS} faults are set: clear some.`);
    if (spec.kind === 'certificate') await this.#switchCertificate(spec.certificate, spec.endpoint);
    for (const { fault } of this.#active.values()) if (isHubWide(spec.kind) && fault.kind === spec.kind) this.#end(fault.id, 'replaced');
    this.#made += 1;
    const fault: Fault = { ...this.#withCount(spec), id: `f${this.#made}`, hits: 0 };
    const active: ActiveFault = { fault, cancelTimer: () => {}, silent: new Set() };
    this.#active.set(fault.id, active);
    this.#emit({ event: 'faultSet', fault });
    if (spec.durationMs !== undefined) active.cancelTimer = this.#clock.setTimer(spec.durationMs, () => this.#end(fault.id, 'elapsed'));
    if (spec.kind === 'clock-offset') this.#effects.setClockOffset(spec.offsetMs);
    if (spec.kind === 'half-open' || (spec.kind === 'drop' && spec.at === 'once')) for (const connection of this.#effects.connections()) this.accepted(connection);
    return active.fault;
  }

  /** @returns whether there was one */
  clear(id: string): boolean {
    return this.#end(id, 'cleared');
  }

  /** @returns how many there were */
  clearAll(): number {
    return [...this.#active.keys()].filter((id) => this.clear(id)).length;
  }

  /** Ends all without a word. */
  close(): void {
    for (const { cancelTimer } of this.#active.values()) cancelTimer();
    this.#active.clear();
  }

  refusal(identity: Identity | undefined): number | undefined {
    const active = this.#find('refuse', identity);
    if (active?.fault.kind !== 'refuse') return undefined;
    const { code } = active.fault;
    this.#hit(active, identity);
    return code;
  }

  acceptDelayMs(identity: Identity | undefined): number {
    const active = this.#find('slow-accept', identity);
    if (active?.fault.kind !== 'slow-accept') return 0;
    const { delayMs } = active.fault;
    this.#hit(active, identity);
    return delayMs;
  }

  accepted(connection: FaultyConnection): void {
    const identity = connection.grant?.identity;
    const dropping = this.#find('drop', identity, 'once');
    if (dropping !== undefined) {
      this.#hit(dropping, identity);
      connection.close('dropped', 'by a fault', true);
      return;
    }
    const silencing = this.#find('half-open', identity);
    if (silencing === undefined || silencing.silent.has(connection)) return;
    silencing.silent.add(connection);
    connection.stall();
    this.#hit(silencing, identity);
  }

  delayMs(identity: Identity | undefined): number {
    const active = this.#find('delay', identity);
    return active?.fault.kind === 'delay' ? active.fault.delayMs : 0;
  }

  duplicates(identity: Identity): boolean {
    return this.#happens('duplicate', identity);
  }

  dropsAt(moment: Exclude<DropMoment, 'once'>, identity: Identity): boolean {
    return this.#happens('drop', identity, moment);
  }

  #happens(kind: FaultKind, identity: Identity, moment?: DropMoment): boolean {
    const active = this.#find(kind, identity, moment);
    if (active !== undefined) this.#hit(active, identity);
    return active !== undefined;
  }

  #find(kind: FaultKind, identity: Identity | undefined, moment?: DropMoment): ActiveFault | undefined {
    if (this.isQuiet) return undefined;
    for (const active of this.#active.values()) {
      const { fault } = active;
      if (fault.kind === kind && isFor(fault, identity) && !isUsedUp(fault) && (fault.kind !== 'drop' || fault.at === moment)) return active;
    }
    return undefined;
  }

  #hit(active: ActiveFault, identity: Identity | undefined): void {
    const { id, kind } = active.fault;
    active.fault = { ...active.fault, hits: active.fault.hits + 1 };
    if (identity !== undefined) this.#emit({ event: 'faultHit', fault: id, kind, ...identity });
    // A silent connection stays silent until the time is over; whoever has no time to wait for has it cleared.
    if (isUsedUp(active.fault) && kind !== 'half-open') this.#end(id, 'used-up');
  }

  #end(id: string, reason: EndReason): boolean {
    const active = this.#active.get(id);
    if (active === undefined) return false;
    this.#active.delete(id);
    active.cancelTimer();
    const { kind, hits } = active.fault;
    if (kind === 'clock-offset' && reason !== 'replaced') this.#effects.setClockOffset(0);
    if (kind === 'certificate' && reason !== 'replaced') void this.#certificates?.use(undefined);
    for (const connection of active.silent) connection.close('dropped', 'by a fault', true);
    this.#emit({ event: 'faultEnded', fault: id, kind, hits, reason });
    return true;
  }

  /** What happens at once happens once to everybody who is there, and to the next one where nobody is. */
  #withCount(spec: FaultSpec): FaultSpec {
    const isAtOnce = spec.kind === 'half-open' || (spec.kind === 'drop' && spec.at === 'once');
    if (!isAtOnce || spec.count !== undefined || spec.durationMs !== undefined) return spec;
    const present = this.#effects.connections().filter(({ grant }) => isFor(spec, grant?.identity)).length;
    return { ...spec, count: Math.max(1, present) };
  }

  async #switchCertificate(certificate: FaultCertificate, endpoint: FaultEndpoint): Promise<void> {
    if (this.#certificates === undefined) throw new ServiceError(400, 400_003, 'InvalidOperation', 'This hub has no port whose certificate can be switched.');
    await this.#certificates.use(certificate, endpoint);
  }
}

const isHubWide = (kind: FaultKind): boolean => kind === 'clock-offset' || kind === 'certificate';

const isUsedUp = ({ count, hits }: Fault): boolean => count !== undefined && hits >= count;

/** A fault for a device is not for its modules. */
function isFor({ deviceId, moduleId }: FaultSpec, identity: Identity | undefined): boolean {
  return deviceId === undefined || (identity?.deviceId === deviceId && identity.moduleId === moduleId);
}
