/** Who connects: a device, or one of its modules. */
export interface Identity {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** Letters, digits and `- : . + % _ # * ? ! ( ) , = @ $ '`, at most 128 of them; the same for modules. */
const ID = /^[A-Za-z0-9\-:.+%_#*?!(),=@$']{1,128}$/;

export function isIdentityName(text: string): boolean {
  return ID.test(text);
}

/** `{deviceId}` or `{deviceId}/{moduleId}`: the MQTT client id, unique because ids hold no slash. */
export function formatClientId(identity: Identity): string {
  return identity.moduleId === undefined ? identity.deviceId : `${identity.deviceId}/${identity.moduleId}`;
}

/** @returns `undefined` when it is not the client id of any device or module */
export function parseClientId(clientId: string): Identity | undefined {
  const [deviceId = '', moduleId, ...rest] = clientId.split('/');
  if (rest.length > 0 || !isIdentityName(deviceId)) return undefined;
  if (moduleId === undefined) return { deviceId };
  return isIdentityName(moduleId) ? { deviceId, moduleId } : undefined;
}

/** The identity alone, of something that is more than one. */
export function bareIdentity({ deviceId, moduleId }: Identity): Identity {
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}

/** The resource that a token must cover, as segments behind the host name. */
export function resourceSegments(identity: Identity): readonly string[] {
  const device = ['devices', identity.deviceId];
  return identity.moduleId === undefined ? device : [...device, 'modules', identity.moduleId];
}

/** The topic that telemetry goes to, with the slash before the properties. */
export function telemetryPrefix(identity: Identity): string {
  return `${resourceSegments(identity).join('/')}/messages/events/`;
}
