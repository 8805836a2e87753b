import type { HubEvent } from './events.ts';
import { formatClientId } from './identity.ts';
import { SeenIds } from './seen-ids.ts';

/** What a run came to, counted at the hub. */
export interface LedgerCounts {
  /** Distinct messages by `$.mid`; one without it counts as distinct. Wills are not counted. */
  readonly received: number;
  /** Messages whose `$.mid` the same device had sent before. */
  readonly duplicated: number;
  /** Accepted CONNECTs. */
  readonly connects: number;
  /** Distinct accepted tokens, minus one for each device. */
  readonly renewals: number;
  /** Refused CONNECTs. */
  readonly refused: number;
  /** The longest time between two new messages of one device, as the hub took and acknowledged them. */
  readonly maxGapMs: number;
  /** Renewals in which no connection of the device was open when the new CONNECT came. */
  readonly oldClosedBeforeNew: number;
}

interface DeviceRecord {
  readonly ids: SeenIds;
  readonly tokens: Set<string>;
  readonly openConnections: Set<number>;
  lastNewMs: number | undefined;
  received: number;
}

/** Counts a run out of the hub's events, and out of nothing else. */
export class Ledger {
  readonly #devices = new Map<string, DeviceRecord>();
  /** CONNECTs that wait for the verdict: whether the device had a connection when they came. */
  readonly #hadConnection = new Map<number, boolean>();
  #received = 0;
  #duplicated = 0;
  #connects = 0;
  #renewals = 0;
  #refused = 0;
  #maxGapMs = 0;
  #oldClosedBeforeNew = 0;

  observe(event: HubEvent): void {
    switch (event.event) {
      case 'connectReceived':
        this.#hadConnection.set(event.connection, (this.#devices.get(event.clientId)?.openConnections.size ?? 0) > 0);
        break;
      case 'connected':
        this.#countConnect(event);
        break;
      case 'refused':
        this.#refused += 1;
        break;
      case 'messageReceived':
        if (!event.will) this.#countMessage(event);
        break;
      case 'disconnected':
        this.#hadConnection.delete(event.connection);
        if (event.deviceId !== undefined) this.#recordOf({ ...event, deviceId: event.deviceId }).openConnections.delete(event.connection);
        break;
      default:
    }
  }

  counts(): LedgerCounts {
    return {
      received: this.#received,
      duplicated: this.#duplicated,
      connects: this.#connects,
      renewals: this.#renewals,
      refused: this.#refused,
      maxGapMs: this.#maxGapMs,
      oldClosedBeforeNew: this.#oldClosedBeforeNew,
    };
  }

  /** Distinct messages of one device. */
  receivedOf(deviceId: string): number {
    return this.#devices.get(deviceId)?.received ?? 0;
  }

  /** Whether a connection of the device is open. */
  isConnected(deviceId: string): boolean {
    return (this.#devices.get(deviceId)?.openConnections.size ?? 0) > 0;
  }

  #countConnect(event: Extract<HubEvent, { event: 'connected' }>): void {
    const record = this.#recordOf(event);
    this.#connects += 1;
    if (record.tokens.size > 0 && !record.tokens.has(event.token)) {
      this.#renewals += 1;
      if (this.#hadConnection.get(event.connection) !== true) this.#oldClosedBeforeNew += 1;
    }
    record.tokens.add(event.token);
    record.openConnections.add(event.connection);
  }

  #countMessage(event: Extract<HubEvent, { event: 'messageReceived' }>): void {
    const record = this.#recordOf(event);
    if (event.mid !== undefined && !record.ids.add(event.mid)) {
      this.#duplicated += 1;
      return;
    }
    this.#received += 1;
    record.received += 1;
    if (record.lastNewMs !== undefined) this.#maxGapMs = Math.max(this.#maxGapMs, event.monotonicMs - record.lastNewMs);
    record.lastNewMs = event.monotonicMs;
  }

  #recordOf(event: { readonly deviceId: string; readonly moduleId?: string }): DeviceRecord {
    const clientId = formatClientId(event);
    let record = this.#devices.get(clientId);
    if (record === undefined) {
      record = { ids: new SeenIds(), tokens: new Set(), openConnections: new Set(), lastNewMs: undefined, received: 0 };
      this.#devices.set(clientId, record);
    }
    return record;
  }
}
