import type { FakeTime } from '../fake-time.ts';

/** How the access point answers. */
export interface AccessPoint {
  /** `undefined`: there is none of that name. */
  ssid: string | undefined;
  password: string | undefined;
  /** Whether its DHCP server answers. */
  hasDhcp: boolean;
}

/** `wifi_err_reason_t` of ESP-IDF. */
const REASON = { beaconTimeout: 200, noApFound: 201, handshakeTimeout: 204 } as const;
const JOIN_MS = 300;
const DHCP_MS = 200;

/** `embedded:network/interface/wifi` of the SDK, and the board's place in the network. */
export class FakeStation {
  readonly accessPoint: AccessPoint = { ssid: 'home', password: 'secret pass', hasDhcp: true };
  /** Of the last disconnection. */
  reason = 0;
  /** Options of every `connect`. */
  readonly tries: { readonly SSID?: string; readonly password?: string }[] = [];
  readonly #time: FakeTime;
  readonly #abort: (error: unknown) => void;
  readonly #changed: (isUp: boolean) => void;
  #instance: { connection: number; address: string | undefined; notify(property: string): void } | undefined;

  /** @param changed the network's: up or down */
  constructor(time: FakeTime, abort: (error: unknown) => void, changed: (isUp: boolean) => void) {
    this.#time = time;
    this.#abort = abort;
    this.#changed = changed;
  }

  /** The access point goes, and says nothing. */
  lose(): void {
    this.accessPoint.ssid = undefined;
    this.#down(REASON.beaconTimeout);
  }

  makeClass(): new (options: { readonly onChanged: (property: string) => void }) => object {
    const station = this;
    return class WiFi {
      connection = 200;
      address: string | undefined;
      #isConnecting = false;
      readonly #onChanged: (property: string) => void;

      constructor(options: { readonly onChanged: (property: string) => void }) {
        this.#onChanged = options.onChanged;
        station.#instance = this;
      }

      connect(options: { readonly SSID?: string; readonly password?: string } = {}): void {
        if (this.#isConnecting) throw new Error('already connecting');
        this.#isConnecting = true;
        station.tries.push(options);
        station.#time.after(JOIN_MS, () => {
          this.#isConnecting = false;
          station.#joined(options);
        });
      }

      disconnect(): void {
        this.connection = 200;
        this.address = undefined;
      }

      close(): void {}

      notify(property: string): void {
        try {
          this.#onChanged.call(this, property);
        } catch (error) {
          station.#abort(error);
        }
      }
    };
  }

  #joined({ SSID, password }: { readonly SSID?: string; readonly password?: string }): void {
    const { accessPoint } = this;
    if (accessPoint.ssid === undefined || accessPoint.ssid !== SSID) return this.#down(REASON.noApFound);
    if (accessPoint.password !== password) return this.#down(REASON.handshakeTimeout);
    this.#set(400, undefined, 'connection');
    if (!accessPoint.hasDhcp) return;
    this.#time.after(DHCP_MS, () => {
      this.#changed(true);
      this.#set(500, '192.0.2.7', 'connection');
      this.#instance?.notify('address');
    });
  }

  #down(reason: number): void {
    this.reason = reason;
    this.#changed(false);
    this.#set(200, undefined, 'connection');
  }

  #set(connection: number, address: string | undefined, property: string): void {
    if (this.#instance === undefined) return;
    this.#instance.connection = connection;
    this.#instance.address = address;
    this.#instance.notify(property);
  }
}
