export function asBuffer(bytes: Uint8Array): Uint8Array;
