import { Configurations } from '../../host-sim/hub/configurations/configurations.ts';
import type { ConfigurationEvent } from '../../host-sim/hub/configurations/configuration-events.ts';
import { createTwinRows } from '../../host-sim/hub/query/twin-rows.ts';
import type { Identity } from '../../host-sim/hub/identity.ts';
import type { DurableRecord } from '../../host-sim/hub/state/durable.ts';
import { TwinStore } from '../../host-sim/hub/twins/twin-store.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

/** Configurations over real twins on a clock that a test moves. */
export class ConfigurationBench {
  readonly clock = new VirtualClock(Date.UTC(2027, 0, 1));
  readonly twins = new TwinStore(this.clock);
  readonly events: ConfigurationEvent[] = [];
  /** Twins that were read for metrics. */
  rowsRead = 0;
  /** As a state file would hold them. */
  readonly kept = new Map<string, unknown>();
  configurations: Configurations;

  constructor() {
    this.configurations = this.open([]);
  }

  open(records: Iterable<DurableRecord>): Configurations {
    const configurations = new Configurations({
      clock: this.clock,
      twins: this.twins,
      records,
      emit: (event) => this.events.push(event),
      rows: createTwinRows({ identities: () => this.twins.identities(), read: (identity) => this.#read(identity) }),
    });
    configurations.onRecord((key, value) => {
      // Through JSON, as the file has it.
      if (value === undefined) this.kept.delete(key);
      else this.kept.set(key, JSON.parse(JSON.stringify(value)) as unknown);
    });
    return configurations;
  }

  /** Ends the store, and makes it anew out of what was kept. */
  restart(): void {
    this.configurations.close();
    this.configurations = this.open([...this.kept]);
  }

  add(identity: Identity, tags: object = {}): void {
    this.twins.create(identity);
    this.twins.patch(identity, { tags });
    this.configurations.addTwin(identity);
  }

  remove(identity: Identity): void {
    this.twins.delete(identity);
    this.configurations.removeTwin(identity);
  }

  desired(deviceId: string, moduleId?: string): unknown {
    const { desired } = this.twins.read(moduleId === undefined ? { deviceId } : { deviceId, moduleId });
    return JSON.parse(JSON.stringify(desired));
  }

  versionOf(deviceId: string): number {
    return this.twins.read({ deviceId }).desiredVersion;
  }

  /** Lets everything happen that is due within a time. */
  pass(ms = 1_000): void {
    const endMs = this.clock.monotonicMs() + ms;
    while (this.clock.nextDueMs() <= endMs) {
      this.clock.jumpTo(this.clock.nextDueMs());
      this.clock.fireDue();
    }
    this.clock.jumpTo(endMs);
  }

  #read(identity: Identity): object {
    this.rowsRead += 1;
    const { tags, desired, reported } = this.twins.read(identity);
    return { ...identity, tags, properties: { desired, reported }, configurations: this.configurations.statusOf(identity) ?? {} };
  }
}
