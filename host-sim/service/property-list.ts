import { InvalidArgumentError } from 'commander';

/** Properties of a message as the az CLI takes them: `name=value;name=value`. A value may hold `=` but no `;`. */
export function propertyList(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const part of text.split(';')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    if (equals < 1) throw new InvalidArgumentError(`expected "name=value;name=value", got ${JSON.stringify(part)}.`);
    properties.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return properties;
}
