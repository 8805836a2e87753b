import { descriptorOf } from './performative.ts';
import { MalformedValue, ValueReader, type AmqpValue } from './value-reader.ts';

const HEADER = 0x70;
const ANNOTATIONS = [0x71, 0x72];
const PROPERTIES = 0x73;
const APPLICATION_PROPERTIES = 0x74;
const DATA = 0x75;
const SEQUENCE = 0x76;
const VALUE = 0x77;
const FOOTER = 0x78;

/**
 * Checks the sections of a whole message.
 * @throws MalformedValue
 * @see http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html#section-message-format
 */
export function checkMessage(bytes: Buffer): void {
  const reader = new ValueReader(bytes);
  let last = 0;
  while (!reader.isAtEnd) {
    const section = reader.read();
    const code = descriptorOf(section);
    if (code === undefined || section.kind !== 'described' || !isSection(code, section.value)) throw new MalformedValue('no section of a message');
    const mayRepeat = code === DATA || code === SEQUENCE;
    if (code < last || (code === last && !mayRepeat) || (code > last && last >= DATA && code <= VALUE)) throw new MalformedValue('sections of a message out of order');
    last = code;
  }
}

function isSection(code: number, value: AmqpValue): boolean {
  if (code === HEADER || code === PROPERTIES) return value.kind === 'list';
  if (ANNOTATIONS.includes(code) || code === FOOTER) return isMapWithKeys(value, ['symbol', 'unsigned']);
  if (code === APPLICATION_PROPERTIES) return isMapWithKeys(value, ['string']);
  if (code === DATA) return value.kind === 'binary';
  if (code === SEQUENCE) return value.kind === 'list';
  return code === VALUE;
}

function isMapWithKeys(value: AmqpValue, kinds: readonly AmqpValue['kind'][]): boolean {
  return value.kind === 'map' && value.items.every(({ kind }, index) => index % 2 === 1 || kinds.includes(kind));
}
