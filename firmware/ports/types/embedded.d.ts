/**
 * The ECMA-419 and Moddable modules that the firmware uses, with the same specifiers on the Moddable SDK and on the
 * virtual board. Only what is used is declared here.
 */
declare module 'embedded:io/socket/tcp' {
  export interface TcpOptions {
    /** Dotted IPv4 address; names are resolved before. */
    readonly address: string;
    readonly port: number;
    /** Bytes that wait to be read. */
    readonly onReadable?: (this: TCP, byteCount: number) => void;
    /** Connected, or room again: bytes that can be written now. */
    readonly onWritable?: (this: TCP, byteCount: number) => void;
    /** The connection failed or ended; nothing more is delivered. */
    readonly onError?: (this: TCP, error?: unknown) => void;
  }
  export default class TCP {
    constructor(options: TcpOptions);
    format: 'buffer' | 'number';
    /** At most `byteLength` bytes (all that wait when absent); `undefined` when nothing waits. */
    read(byteLength?: number): ArrayBuffer | undefined;
    /**
     * Takes all of `bytes`, or throws when there is no room: stay within the count of `onWritable`. Returns what is writable after it (the SDK's
     * returns nothing once the connection has failed: firmware/ports/esp32/tcp.ts).
     */
    write(bytes: ArrayBuffer | Uint8Array): number;
    close(): void;
  }
}

declare module 'embedded:io/socket/udp' {
  export interface UdpOptions {
    readonly port?: number;
    readonly onReadable?: (this: UDP, packetCount: number) => void;
    readonly onError?: (this: UDP, error?: unknown) => void;
  }
  export interface Datagram extends ArrayBuffer {
    readonly address: string;
    readonly port: number;
  }
  export default class UDP {
    constructor(options: UdpOptions);
    read(): Datagram | undefined;
    write(bytes: ArrayBuffer | Uint8Array, address: string, port: number): void;
    close(): void;
  }
}

declare module 'embedded:network/dns/resolver/udp' {
  export interface ResolveOptions {
    readonly host: string;
    readonly onResolved: (host: string, address: string) => void;
    readonly onError: (error?: unknown) => void;
  }
  export default class Resolver {
    /** The virtual board asks the laptop's resolver and needs neither; the SDK's wants both. */
    constructor(options?: { readonly servers?: readonly string[]; readonly socket?: { readonly io: typeof import('embedded:io/socket/udp').default } });
    resolve(options: ResolveOptions): void;
    close(): void;
  }
}

declare module 'embedded:storage/flash' {
  export interface FlashStatus {
    readonly size: number;
    readonly blocks: number;
    readonly blockLength: number;
  }
  export interface Flash {
    status(): FlashStatus;
    /** Erases block `start` up to, and without, block `end` (one block when absent). */
    eraseBlock(start: number, end?: number): void;
    read(byteLength: number, byteOffset: number): ArrayBuffer;
    write(bytes: ArrayBuffer | Uint8Array, byteOffset: number): void;
    close(): void;
  }
  const flash: { open(options: { readonly path: string }): Flash };
  export default flash;
}

declare module 'embedded:storage/key-value' {
  export interface KeyValueStore {
    /** `undefined` when there is no such key. */
    read(key: string): ArrayBuffer | string | undefined;
    write(key: string, value: ArrayBuffer | Uint8Array | string): void;
    delete(key: string): boolean;
    close(): void;
  }
  /** Keys have at most 15 characters. */
  const storage: {
    open(options: { readonly path: string; readonly mode?: 'r' | 'r+'; readonly format?: 'buffer' | 'string' }): KeyValueStore;
  };
  export default storage;
}

declare module 'timer' {
  /** Opaque. */
  export interface Timer {
    readonly timer: unique symbol;
  }
  const timer: {
    /** Delays are at most 2^31 - 1 ms. */
    set(callback: () => void, delayMs?: number): Timer;
    schedule(timer: Timer, delayMs: number): void;
    clear(timer: Timer | undefined): void;
  };
  export default timer;
}

declare module 'time' {
  const time: {
    /** Milliseconds since start as a signed 32-bit number: it wraps. */
    readonly ticks: number;
    /** Sets the wall clock, in whole seconds since 1970. */
    set(unixSeconds: number): void;
  };
  export default time;
}
