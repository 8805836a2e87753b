import { MalformedValue, ValueReader, type AmqpValue } from './value-reader.ts';

export type PerformativeName = 'open' | 'begin' | 'attach' | 'flow' | 'transfer' | 'disposition' | 'detach' | 'end' | 'close' | 'sasl-init' | 'sasl-response';

/** One performative of a frame: its fields by their names in the specification, `undefined` where null or left out. */
export interface Performative {
  readonly name: PerformativeName;
  readonly fields: Readonly<Record<string, AmqpValue | undefined>>;
  /** What follows it in the frame. */
  readonly payload: Buffer;
}

type FieldType = 'string' | 'symbol' | 'symbols' | 'boolean' | 'ubyte' | 'ushort' | 'uint' | 'ulong' | 'binary' | 'map' | 'source' | 'target' | 'state' | 'error';

/** Fields in their order; `!` marks what must be there. */
const FIELDS: Readonly<Record<number, readonly [name: PerformativeName, fields: string]>> = {
  0x10: ['open', 'container-id:string! hostname:string max-frame-size:uint channel-max:ushort idle-time-out:uint outgoing-locales:symbols incoming-locales:symbols offered-capabilities:symbols desired-capabilities:symbols properties:map'],
  0x11: ['begin', 'remote-channel:ushort next-outgoing-id:uint! incoming-window:uint! outgoing-window:uint! handle-max:uint offered-capabilities:symbols desired-capabilities:symbols properties:map'],
  0x12: ['attach', 'name:string! handle:uint! role:boolean! snd-settle-mode:ubyte rcv-settle-mode:ubyte source:source target:target unsettled:map incomplete-unsettled:boolean initial-delivery-count:uint max-message-size:ulong offered-capabilities:symbols desired-capabilities:symbols properties:map'],
  0x13: ['flow', 'next-incoming-id:uint incoming-window:uint! next-outgoing-id:uint! outgoing-window:uint! handle:uint delivery-count:uint link-credit:uint available:uint drain:boolean echo:boolean properties:map'],
  0x14: ['transfer', 'handle:uint! delivery-id:uint delivery-tag:binary message-format:uint settled:boolean more:boolean rcv-settle-mode:ubyte state:state resume:boolean aborted:boolean batchable:boolean'],
  0x15: ['disposition', 'role:boolean! first:uint! last:uint settled:boolean state:state batchable:boolean'],
  0x16: ['detach', 'handle:uint! closed:boolean error:error'],
  0x17: ['end', 'error:error'],
  0x18: ['close', 'error:error'],
  0x41: ['sasl-init', 'mechanism:symbol! initial-response:binary hostname:string'],
  0x43: ['sasl-response', 'response:binary!'],
};

const BITS: Readonly<Partial<Record<FieldType, number>>> = { ubyte: 8, ushort: 16, uint: 32, ulong: 64 };

/** Descriptors of composite types that fields hold: source, target, the delivery states 0x23 to 0x27, error. */
const DESCRIPTORS: Readonly<Partial<Record<FieldType, readonly number[]>>> = {
  source: [0x28],
  target: [0x29],
  state: [0x23, 0x24, 0x25, 0x26, 0x27],
  error: [0x1d],
};

/**
 * Reads the body of a frame.
 * @throws MalformedValue when it is no performative that a client sends, or a field has the wrong type
 * @see http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#section-performatives
 */
export function readPerformative(body: Buffer): Performative {
  const reader = new ValueReader(body);
  const value = reader.read();
  const code = descriptorOf(value);
  const [name, schema] = FIELDS[code ?? -1] ?? [];
  if (name === undefined || schema === undefined || value.kind !== 'described' || value.value.kind !== 'list') throw new MalformedValue('no performative of a client');
  const { items } = value.value;
  const types = schema.split(' ');
  if (items.length > types.length) throw new MalformedValue(`${name} has more than ${types.length} fields`);
  const fields: Record<string, AmqpValue | undefined> = {};
  for (const [index, entry] of types.entries()) {
    const [fieldName = '', typeName = ''] = entry.split(':');
    const isMandatory = typeName.endsWith('!');
    const item = items[index];
    if (item === undefined || item.kind === 'null') {
      if (isMandatory) throw new MalformedValue(`${name} without ${fieldName}`);
      continue;
    }
    if (!isOfType(item, (isMandatory ? typeName.slice(0, -1) : typeName) as FieldType)) throw new MalformedValue(`${fieldName} of ${name} has the wrong type`);
    fields[fieldName] = item;
  }
  const payload = body.subarray(reader.position);
  if (name !== 'transfer' && payload.length > 0) throw new MalformedValue(`bytes behind ${name}`);
  return { name, fields, payload };
}

/** The number of a field of an unsigned type. */
export function numberField(performative: Performative, name: string): number | undefined {
  const field = performative.fields[name];
  return field?.kind === 'unsigned' ? field.value : undefined;
}

export function textField(performative: Performative, name: string): string | undefined {
  const field = performative.fields[name];
  return field?.kind === 'string' || field?.kind === 'symbol' ? field.value : undefined;
}

export function flagField(performative: Performative, name: string): boolean {
  const field = performative.fields[name];
  return field?.kind === 'boolean' && field.value;
}

export function descriptorOf(value: AmqpValue): number | undefined {
  return value.kind === 'described' && value.descriptor.kind === 'unsigned' ? value.descriptor.value : undefined;
}

function isOfType(value: AmqpValue, type: FieldType): boolean {
  const bits = BITS[type];
  if (bits !== undefined) return value.kind === 'unsigned' && value.bits === bits;
  const descriptors = DESCRIPTORS[type];
  if (descriptors !== undefined) return value.kind === 'described' && value.value.kind === 'list' && descriptors.includes(descriptorOf(value) ?? -1);
  if (type === 'symbols') return value.kind === 'symbol' || (value.kind === 'array' && value.items.every(({ kind }) => kind === 'symbol'));
  return value.kind === type;
}
