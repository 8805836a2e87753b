/** What only an ESP32 has; nothing but firmware/ports/esp32 imports these. */
declare module 'latchkey/chip' {
  /** Gives the natives their keys: before anything else. */
  export function start(): void;
  /** One line on the console. */
  export function print(line: string): void;
  export function restart(): void;
  /** Why the chip started: `power-on`, `software`, `panic`, `task-watchdog`, `brownout`, … */
  export function restartCause(): string;
  /** Uniform in [0, 1), from the hardware. */
  export function random(): number;
  /** Of the C heap, internal memory. */
  export function freeBytes(): number;
  export function largestFreeBytes(): number;
  /** Those that DHCP gave, separated by commas; empty: none. */
  export function nameServers(): string;
  /** `wifi_err_reason_t` of the last disconnection; 0: none, or no radio. */
  export function wifiReason(): number;
  /** @throws ERR_PARTITIONS */
  export function checkPartitions(): void;
  /** Keeps the bootloader from going back to the former image. */
  export function confirmImage(): void;
}

/** ECMA-419 network interface, as far as it is used: Wi-Fi, or the emulator's Ethernet. The manifest chooses. */
declare module 'latchkey/network' {
  export interface NetworkOptions {
    readonly onChanged: (property: 'connection' | 'address') => void;
  }
  export interface ConnectOptions {
    readonly SSID: string;
    readonly password?: string;
  }
  export default class Network {
    constructor(options: NetworkOptions);
    /** Throws while a connection is being made. An Ethernet needs no options. */
    connect(options?: ConnectOptions): void;
    /** Wi-Fi only. */
    disconnect?(): void;
    /** 500: connected, with addresses; 400: connected; 300: connecting; 200 or less: not. */
    readonly connection: number;
    /** IPv4, dotted. */
    readonly address: string | undefined;
    close(): void;
  }
  export const kind: 'wifi' | 'ethernet';
}
