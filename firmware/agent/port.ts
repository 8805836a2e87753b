import type { MqttCodec } from './mqtt/packets.ts';
import type { TextCodec } from './text-codec.ts';

/** What the agent is given: sockets, TLS, time, randomness, signer, storage and codecs. A port binds it to a board's modules. */
export interface Port {
  /** Milliseconds since start, signed 32-bit: wraps. */
  ticks(): number;
  /** Wall clock, milliseconds since 1970; may be wrong. */
  wallMs(): number;
  setWallMs(unixMs: number): void;
  /** Uniform in [0, 1), from a source that differs from board to board. */
  random(): number;
  /** Calls `agent.wake()` once after `delayMs` (at most MAX_TIMER_MS), in place of what was scheduled before. */
  schedule(delayMs: number): void;
  /** `undefined` when the name has no address or nobody answers. */
  resolve(host: string, done: (address: string | undefined) => void): void;
  openTcp(options: TcpOptions): TcpSocket;
  openUdp(options: UdpOptions): UdpSocket;
  openTls(options: TlsOptions): TlsEngine;
  /** Forgets cached TLS sessions: after a clock step or a change of roots. */
  dropTlsSessions(): void;
  /** Whether C and JavaScript memory hold a second connection beside the first. */
  roomForTwo(): boolean;
  /** Trust anchors, DER; default those for the hub. */
  roots(purpose?: RootUse): readonly ArrayBuffer[];
  readonly signer: Signer;
  readonly mqtt: MqttCodec;
  readonly text: TextCodec;
  /** The clock's floor that was saved last, milliseconds since 1970; 0 when none was. */
  readFloorMs(): number;
  saveFloorMs(unixMs: number): void;
  /** When this firmware was built: no clock is right that is earlier. */
  readonly buildTimeMs: number;
}

/** What a root is trusted for. */
export type RootUse = 'hub' | 'dps';

export interface Signer {
  /** base64 signature of `encodedResource`, newline, `expirySeconds`. The key stays in C. */
  signSas(slot: number, encodedResource: string, expirySeconds: number): string;
}

export interface TcpOptions {
  readonly address: string;
  readonly port: number;
  readonly onReadable: (byteCount: number) => void;
  readonly onWritable: (byteCount: number) => void;
  readonly onError: (error?: unknown) => void;
}

export interface TcpSocket {
  read(byteLength?: number): ArrayBuffer | undefined;
  write(bytes: ArrayBuffer | Uint8Array): number;
  close(): void;
}

export interface UdpOptions {
  readonly onReadable: (packetCount: number) => void;
  readonly onError: (error?: unknown) => void;
}

export interface Datagram extends ArrayBuffer {
  readonly address: string;
  readonly port: number;
}

export interface UdpSocket {
  read(): Datagram | undefined;
  write(bytes: ArrayBuffer | Uint8Array, address: string, port: number): void;
  close(): void;
}

export interface TlsOptions {
  readonly host: string;
  readonly roots: readonly ArrayBuffer[];
  readonly resume?: boolean;
}

/** @see firmware/ports/types/latchkey.d.ts */
export interface TlsEngine {
  feed(bytes: ArrayBuffer | Uint8Array): void;
  take(maxBytes: number): ArrayBuffer | undefined;
  handshake(): boolean;
  read(maxBytes: number): ArrayBuffer | undefined | null;
  write(bytes: ArrayBuffer | Uint8Array): number;
  end(): void;
  close(): void;
}
