import type Network from 'latchkey/network';
import type Timer from 'timer';
import type { Timer as TimerHandle } from 'timer';

import { guarded, type OnFault } from './guard.ts';

/** States of an ECMA-419 network interface's `connection`. */
const CONNECTION_UP = 500;
const CONNECTION_DOWN = 200;

/** Between two tries: doubling, each time drawn from its upper half, so that a building full of boards does not return at once. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;
/** Association and DHCP together. */
const CONNECT_TIMEOUT_MS = 30_000;

/** `wifi_err_reason_t` of ESP-IDF (esp_wifi_types_generic.h): 4-way handshake and authentication that failed or timed out. */
const PASSWORD_REASONS: readonly number[] = [14, 15, 202, 204];
/** No access point of that name, or none with that security or strength. */
const NOT_FOUND_REASONS: readonly number[] = [201, 210, 211, 212];

export type NetworkEvent =
  | { readonly event: 'wifi' | 'ethernet'; readonly state: 'connecting' | 'connected' }
  | { readonly event: 'wifi' | 'ethernet'; readonly state: 'failed'; readonly code: NetworkErrorCode; readonly retryMs: number }
  | { readonly event: 'network'; readonly address: string };

export type NetworkErrorCode = 'ERR_WIFI_PASSWORD' | 'ERR_WIFI_NOT_FOUND' | 'ERR_WIFI_ADDRESS' | 'ERR_WIFI_LOST';

export interface NetworkLinkOptions {
  readonly Network: typeof Network;
  readonly kind: 'wifi' | 'ethernet';
  readonly Timer: typeof Timer;
  /** `undefined` for an Ethernet. */
  readonly ssid: string | undefined;
  /** `undefined`: an open network. */
  readonly password: string | undefined;
  /** Why the access point sent us away (`latchkey/chip` `wifiReason`). */
  readonly reason: () => number;
  readonly random: () => number;
  readonly onEvent: (event: NetworkEvent) => void;
  /** Addresses are there: the first time, and after each loss. */
  readonly onUp: () => void;
  readonly onFault: OnFault;
}

/** Keeps the board in its network: connects, waits for an address, and tries again for ever, however it was lost. */
export class NetworkLink {
  readonly #options: NetworkLinkOptions;
  readonly #network: Network;
  #timer: TimerHandle | undefined;
  #retryMs = FIRST_RETRY_MS;
  #state: 'idle' | 'connecting' | 'up' | 'waiting' = 'idle';

  constructor(options: NetworkLinkOptions) {
    this.#options = options;
    this.#network = new options.Network({ onChanged: guarded(() => this.#changed(), options.onFault) });
    options.reason(); // listens from here on: the interface has made the event loop
  }

  connect(): void {
    const { kind, ssid, password, onEvent } = this.#options;
    this.#state = 'connecting';
    this.#after(CONNECT_TIMEOUT_MS, () => this.#lost('ERR_WIFI_ADDRESS'));
    onEvent({ event: kind, state: 'connecting' });
    try {
      if (ssid === undefined) this.#network.connect();
      else this.#network.connect(password === undefined ? { SSID: ssid } : { SSID: ssid, password });
    } catch {
      // It is connecting already, or the stack refused: the timer tries again.
    }
  }

  #changed(): void {
    const { connection, address } = this.#network;
    if (connection >= CONNECTION_UP && this.#state !== 'up') return this.#up(address);
    if (connection > CONNECTION_DOWN) return;
    if (this.#state === 'up' || this.#state === 'connecting') this.#lost(this.#code());
  }

  #up(address: string | undefined): void {
    const { kind, onEvent, onUp } = this.#options;
    this.#state = 'up';
    this.#retryMs = FIRST_RETRY_MS;
    this.#cancel();
    onEvent({ event: kind, state: 'connected' });
    onEvent({ event: 'network', address: address ?? '' });
    onUp();
  }

  #lost(code: NetworkErrorCode): void {
    const { kind, random, onEvent } = this.#options;
    this.#state = 'waiting';
    const retryMs = Math.round(this.#retryMs * (0.5 + random() / 2));
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    onEvent({ event: kind, state: 'failed', code, retryMs });
    try {
      this.#network.disconnect?.();
    } catch {
      // There is nothing to leave.
    }
    this.#after(retryMs, () => this.connect());
  }

  #code(): NetworkErrorCode {
    if (this.#state === 'up') return 'ERR_WIFI_LOST';
    const reason = this.#options.reason();
    if (PASSWORD_REASONS.includes(reason)) return 'ERR_WIFI_PASSWORD';
    return NOT_FOUND_REASONS.includes(reason) ? 'ERR_WIFI_NOT_FOUND' : 'ERR_WIFI_LOST';
  }

  /** A fired timer cannot be scheduled again: each wait has a timer of its own. */
  #after(delayMs: number, callback: () => void): void {
    const { Timer, onFault } = this.#options;
    this.#cancel();
    this.#timer = Timer.set(guarded(() => {
      this.#timer = undefined;
      callback();
    }, onFault), delayMs);
  }

  #cancel(): void {
    if (this.#timer !== undefined) this.#options.Timer.clear(this.#timer);
    this.#timer = undefined;
  }
}
