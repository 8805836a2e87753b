/**
 * The Plug and Play convention: how a device with a model (`modelId`, `dtmi:…`) writes its properties. A component's telemetry names it in
 * the message property `component`; a component's commands come as methods called `component*command`.
 * @see https://learn.microsoft.com/azure/iot/concepts-convention
 */

/** What became of a writable property. */
export interface WritableStatus {
  /** `ac`, by custom an HTTP status: 200 done, 202 under way, 203 the device's own initial value, 400 refused, 500 failed. */
  readonly code: number;
  /** `av`: `DesiredChange.version` of the request; 0 for an initial value. */
  readonly version: number;
  /** `ad`, for people. */
  readonly description?: string | undefined;
}

/** The acknowledgement of a writable property, to be reported under its name: `value` is what the device uses now. */
export function acknowledgeWritable<T>(value: T, { code, version, description }: WritableStatus): Readonly<Record<string, unknown>> {
  return { value, ac: code, av: version, ad: description };
}

/** Properties of a component, to be reported: `__t` tells the hub that the object is a component. */
export function reportComponent(component: string, properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { [component]: { __t: 'c', ...properties } };
}

/** The properties of a component in a desired value; `undefined` when the value is no component. */
export function componentProperties(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || !('__t' in value) || value.__t !== 'c') return undefined;
  const { __t, ...properties } = value as Readonly<Record<string, unknown>>;
  return properties;
}

/** What a method's name says: `thermostat1*reboot`, or a command of the device itself. */
export function parseCommand(name: string): { readonly component: string | undefined; readonly command: string } {
  const star = name.indexOf('*');
  return star < 0 ? { component: undefined, command: name } : { component: name.slice(0, star), command: name.slice(star + 1) };
}
