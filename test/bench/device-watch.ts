import type { HubEvent } from '../../host-sim/hub/events.ts';
import { Ledger, type LedgerCounts } from '../../host-sim/hub/ledger.ts';

/** What the hub saw of one device: its ledger, and the moments that the benchmark's rows are made of. Milliseconds of the hub's clock. */
export class DeviceWatch {
  readonly #deviceId: string;
  readonly #ledger = new Ledger();
  /** CONNECTs, whatever became of them. */
  readonly connectsAtMs: number[] = [];
  readonly refusedAtMs: number[] = [];
  readonly messagesAtMs: number[] = [];
  /** The gap around each accepted CONNECT with a new token. */
  readonly renewalGapsMs: number[] = [];
  /** `se` of the token of the connection of now. */
  expirySeconds = 0;
  #tokenCount = 0;
  #renewedSinceLastMessage = false;

  constructor(deviceId: string) {
    this.#deviceId = deviceId;
  }

  get counts(): LedgerCounts {
    return this.#ledger.counts();
  }

  get isConnected(): boolean {
    return this.#tokenCount > 0;
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
        this.#tokenCount += 1;
        this.#renewedSinceLastMessage ||= this.#ledger.counts().renewals > before.renewals;
        break;
      case 'messageReceived':
        if (this.#ledger.counts().received > before.received) this.#noteMessage(event.monotonicMs);
        break;
      default:
    }
  }

  #noteMessage(atMs: number): void {
    const lastMs = this.messagesAtMs.at(-1);
    if (this.#renewedSinceLastMessage && lastMs !== undefined) this.renewalGapsMs.push(atMs - lastMs);
    this.#renewedSinceLastMessage = false;
    this.messagesAtMs.push(atMs);
  }

  #concerns(event: HubEvent): boolean {
    return ('deviceId' in event && event.deviceId === this.#deviceId) || ('clientId' in event && event.clientId === this.#deviceId);
  }
}
