/** AMQP 1.0 encodings by hand, from the specification: what checks the hub's reader shares no code with it. */

export const NULL = Buffer.from([0x40]);
export const TRUE = Buffer.from([0x41]);
export const FALSE = Buffer.from([0x42]);

export const bytes = (...parts: readonly (number | Buffer)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)));

const uint32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
};

export const uint = (value: number): Buffer => bytes(0x70, uint32(value));
export const ushort = (value: number): Buffer => bytes(0x60, value >> 8, value & 255);
export const ubyte = (value: number): Buffer => bytes(0x50, value);
export const string = (text: string): Buffer => bytes(0xb1, uint32(Buffer.byteLength(text)), Buffer.from(text));
export const symbol = (text: string): Buffer => bytes(0xa3, text.length, Buffer.from(text, 'latin1'));
export const binary = (value: Buffer): Buffer => bytes(0xb0, uint32(value.length), value);
export const timestamp = (ms: number): Buffer => {
  const value = Buffer.alloc(9, 0x83);
  value.writeBigInt64BE(BigInt(ms), 1);
  return value;
};

/** `count` may lie. */
export const list = (items: readonly Buffer[], count = items.length): Buffer => bytes(0xd0, uint32(Buffer.concat(items).length + 4), uint32(count), ...items);
export const map = (items: readonly Buffer[], count = items.length): Buffer => bytes(0xd1, uint32(Buffer.concat(items).length + 4), uint32(count), ...items);
export const array = (constructor: Buffer, items: readonly Buffer[], count = items.length): Buffer =>
  bytes(0xf0, uint32(Buffer.concat(items).length + 4 + constructor.length), uint32(count), constructor, ...items);
export const described = (code: number, value: Buffer): Buffer => bytes(0x00, 0x53, code, value);

/** A frame: `type` 0 is AMQP, 1 SASL; `size` may lie. */
export function frame(body: Buffer, { channel = 0, type = 0, dataOffset = 2, size = body.length + 8 } = {}): Buffer {
  return bytes(uint32(size), dataOffset, type, channel >> 8, channel & 255, body);
}

export const header = (protocolId: number): Buffer => bytes(Buffer.from('AMQP'), protocolId, 1, 0, 0);
export const SASL = header(3);
export const AMQP = header(0);

export const saslInit = (mechanism: string, response: Buffer = NULL): Buffer => frame(described(0x41, list([symbol(mechanism), response])), { type: 1 });
export const open = (fields: readonly Buffer[] = []): Buffer => frame(described(0x10, list([string('test'), ...fields])));
export const begin = (channel = 0, remoteChannel: Buffer = NULL): Buffer => frame(described(0x11, list([remoteChannel, uint(0), uint(100), uint(100)])), { channel });
export const source = (address: string): Buffer => described(0x28, list([string(address)]));
export const target = (address: string): Buffer => described(0x29, list([string(address)]));

/** The client sends to an address. */
export const attachSender = (handle: number, address: string, name = `s${handle}`, channel = 0): Buffer =>
  frame(described(0x12, list([string(name), uint(handle), FALSE, NULL, NULL, source('client'), target(address), NULL, NULL, uint(0)])), { channel });

/** The client receives from an address. */
export const attachReceiver = (handle: number, address: string, name = `r${handle}`, channel = 0): Buffer =>
  frame(described(0x12, list([string(name), uint(handle), TRUE, NULL, NULL, source(address), target('client')])), { channel });

export const flow = (handle: number, credit: number, drain: Buffer = FALSE, deliveryCount = 0): Buffer =>
  frame(described(0x13, list([uint(0), uint(1_000), uint(0), uint(1_000), uint(handle), uint(deliveryCount), uint(credit), NULL, drain])));

export interface TransferFields {
  readonly handle: number;
  readonly id?: number;
  readonly more?: boolean;
  readonly format?: number;
  readonly aborted?: boolean;
}

export function transfer({ handle, id, more = false, format = 0, aborted = false }: TransferFields, payload: Buffer): Buffer {
  const ids = id === undefined ? [NULL, NULL] : [uint(id), binary(Buffer.from(`tag${id}`))];
  const fields = [uint(handle), ...ids, uint(format), NULL, more ? TRUE : FALSE, NULL, NULL, NULL, aborted ? TRUE : FALSE];
  return frame(bytes(described(0x14, list(fields)), payload));
}

export const disposition = (first: number, last: number): Buffer => frame(described(0x15, list([TRUE, uint(first), uint(last), TRUE, described(0x24, list([]))])));
export const detach = (handle: number): Buffer => frame(described(0x16, list([uint(handle), TRUE])));
export const end = (channel = 0): Buffer => frame(described(0x17, list([])), { channel });
export const close = (): Buffer => frame(described(0x18, list([])));

/** A message: `to` in its properties, application properties, and a body of data. */
export function message(to: string, body: Buffer, { messageId = 'm', application = {}, replyTo }: { readonly messageId?: string; readonly application?: Readonly<Record<string, string>>; readonly replyTo?: string } = {}): Buffer {
  const properties = [string(messageId), NULL, string(to), NULL, replyTo === undefined ? NULL : string(replyTo)];
  const pairs = Object.entries(application).flatMap(([name, value]) => [string(name), string(value)]);
  return bytes(described(0x73, list(properties)), described(0x74, map(pairs)), described(0x75, binary(body)));
}

/** A put-token request. */
export const putToken = (audience: string, token: string, messageId = 'claim'): Buffer =>
  bytes(
    described(0x73, list([string(messageId), NULL, string('$cbs'), NULL, string('client')])),
    described(0x74, map([string('operation'), string('put-token'), string('type'), string('servicebus.windows.net:sastoken'), string('name'), string(audience)])),
    described(0x77, string(token)),
  );
