/** The two modules of mqtt-packet that the codec uses; the package declares types for its main module only. */
declare module 'mqtt-packet/writeToStream.js' {
  interface PacketSink {
    write(chunk: string | Uint8Array): boolean;
    destroy(error: Error): void;
  }
  interface WriteToStream {
    (packet: object, sink: PacketSink): boolean;
    cacheNumbers: boolean;
  }
  const writeToStream: WriteToStream;
  export default writeToStream;
}

declare module 'mqtt-packet/parser.js' {
  export interface ParsedPacket {
    readonly cmd: string;
    readonly length: number;
    readonly qos: number;
    readonly dup: boolean;
    readonly retain: boolean;
    readonly messageId?: number;
    readonly topic: string;
    readonly payload: Uint8Array;
    readonly granted: readonly number[];
    readonly sessionPresent: boolean;
    readonly returnCode: number;
  }
  export default class Parser {
    /** Sets the protocol version; must be called before `parse`. */
    parser(settings: { readonly protocolVersion: 4 }): this;
    /** Returns how many bytes are left. */
    parse(bytes: Uint8Array): number;
    emit(event: 'packet', packet: ParsedPacket): boolean;
    emit(event: 'error', error: Error): boolean;
  }
}
