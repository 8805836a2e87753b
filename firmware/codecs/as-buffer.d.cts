declare function asBuffer(bytes: Uint8Array): Uint8Array;
export = asBuffer;
