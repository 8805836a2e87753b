import type { HubEvent } from '../../host-sim/hub/events.ts';
import { Ledger, type LedgerCounts } from '../../host-sim/hub/ledger.ts';

/** A renewal is felt so long before its CONNECT is accepted, and after. */
const AROUND_RENEWAL_MS = 1000;

/** What the hub saw of one device: its ledger, and the moments that the benchmark's rows are made of. Milliseconds of the hub's clock. */
export class DeviceWatch {
  readonly #deviceId: string;
  readonly #ledger = new Ledger();
  /** CONNECTs, whatever became of them. */
  readonly connectsAtMs: number[] = [];
  readonly refusedAtMs: number[] = [];
  readonly messagesAtMs: number[] = [];
  /** Accepted CONNECTs with a new token, the first one left out. */
  readonly renewedAtMs: number[] = [];
  /** `se` of the token of the connection of now. */
  expirySeconds = 0;
  #acceptedCount = 0;

  constructor(deviceId: string) {
    this.#deviceId = deviceId;
  }

  get counts(): LedgerCounts {
    return this.#ledger.counts();
  }

  get isConnected(): boolean {
    return this.#acceptedCount > 0;
  }

  /** For each renewal the longest time between two messages, of those that overlap the time around it. */
  renewalGapsMs(): number[] {
    return this.renewedAtMs.map((renewedMs) => {
      const fromMs = renewedMs - AROUND_RENEWAL_MS;
      const endMs = renewedMs + AROUND_RENEWAL_MS;
      const gapsMs = this.messagesAtMs.map((atMs, index, all) => (index > 0 && atMs > fromMs && all[index - 1]! < endMs ? atMs - all[index - 1]! : 0));
      return Math.max(...gapsMs);
    });
  }

  observe(event: HubEvent): void {
    if (!this.#concerns(event)) return;
    const before = this.#ledger.counts();
    this.#ledger.observe(event);
    switch (event.event) {
      case 'connectReceived':
        this.connectsAtMs.push(event.monotonicMs);
        break;
      case 'refused':
        this.refusedAtMs.push(event.monotonicMs);
        break;
      case 'connected':
        this.expirySeconds = event.expirySeconds;
        this.#acceptedCount += 1;
        if (this.#ledger.counts().renewals > before.renewals) this.renewedAtMs.push(event.monotonicMs);
        break;
      case 'messageReceived':
        if (this.#ledger.counts().received > before.received) this.messagesAtMs.push(event.monotonicMs);
        break;
      default:
    }
  }

  #concerns(event: HubEvent): boolean {
    return ('deviceId' in event && event.deviceId === this.#deviceId) || ('clientId' in event && event.clientId === this.#deviceId);
  }
}
