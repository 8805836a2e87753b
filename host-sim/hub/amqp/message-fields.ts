import type { Message } from 'rhea';

/** A field of a message as text: UUIDs, which come as 16 bytes, and numbers too; `undefined` for everything else. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (Buffer.isBuffer(value) && value.length === 16) return value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return undefined;
}

/** Milliseconds since 1970 of a timestamp. */
export function timeOf(value: unknown): number | undefined {
  const timeMs = value instanceof Date ? value.getTime() : value;
  return typeof timeMs === 'number' && Number.isFinite(timeMs) ? timeMs : undefined;
}

/** The application properties as own fields of an object without prototype. */
export function propertiesOf(message: Message): ReadonlyMap<string, unknown> {
  return new Map(Object.entries((message.application_properties ?? {}) as Record<string, unknown>));
}

/** The bytes of a body of data sections, or of one string or binary value; `undefined` for other values. */
export function bodyOf(message: Message): Buffer | undefined {
  const body = message.body as unknown;
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (typeof body === 'string') return Buffer.from(body);
  if (Buffer.isBuffer(body)) return body;
  const content = typeof body === 'object' ? (body as { readonly content?: unknown }).content : undefined;
  if (Buffer.isBuffer(content)) return content;
  if (Array.isArray(content) && content.every((part) => Buffer.isBuffer(part))) return Buffer.concat(content);
  return undefined;
}
