type Fields = Readonly<Record<string, unknown>>;

/** How a line reads: good news, something to watch, bad news. */
export interface ToneText {
  readonly tone: 'good' | 'warning' | 'bad';
  readonly text: string;
}

/** What a device says of its roots, for people; `undefined` for other events. */
export function describeRootsEvent(event: string, fields: Fields): ToneText | undefined {
  const { version, code } = fields;
  switch (event) {
    case 'roots-committed':
      return { tone: 'good', text: `took version ${version} of the roots${fields['phase'] === 'inner' ? ', a link to the next one' : ': on trial'}` };
    case 'roots-passed':
      return { tone: 'good', text: `version ${version} of the roots reaches the hub: kept` };
    case 'roots-rolled-back':
      return { tone: 'warning', text: `version ${version} of the roots does not reach the hub: back to the roots before` };
    case 'roots-recovery':
      return code === 'OK'
        ? { tone: 'good', text: `found version ${version} of the roots at ${fields['host']}` }
        : { tone: 'warning', text: `asked ${fields['host']} for version ${version} of the roots: ${code}` };
    case 'roots-refused':
      return { tone: 'bad', text: `refused a bundle of roots: ${code}` };
    case 'roots-damaged':
      return { tone: 'bad', text: `version ${version} of the roots is damaged in flash` };
    case 'roots-repaired':
      return { tone: 'good', text: `version ${version} of the roots is in flash again` };
    case 'roots-expired':
      return { tone: 'warning', text: `version ${version} of the roots is beyond its end, and no newer one has come` };
    default:
      return undefined;
  }
}
