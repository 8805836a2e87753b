import { relative } from 'node:path';
import type { StartedEvent, SummaryEvent } from '../simulation/events.ts';
import type { SimulationOptions } from '../simulation/options.ts';
import type { Style } from './cli-context.ts';
import { formatConnectionString } from './connection-string.ts';
import { formatDuration } from './duration.ts';

/** @param guest a device for the user's own clients; `undefined` where its key must not be shown */
export function formatBanner(
  started: StartedEvent,
  options: SimulationOptions,
  guest: { readonly deviceId: string; readonly keyBase64: string } | undefined,
  style: Style,
): string {
  const time = started.isVirtual ? 'virtual time' : 'real time';
  const devices = started.devices.length === 1 ? 'one device' : `${started.devices.length} devices`;
  const rows: [string, string][] = [
    ['hub', `${started.hub}  ${started.hubName}`],
    ...(options.delayMs > 0 ? [['link', `${formatDuration(options.delayMs)} each way`] as [string, string]] : []),
    ['time', `NTP ${started.ntp.join(', ')}; HTTPS date ${started.date}`],
    ['devices', `${devices} on the XS engine (${started.bits}-bit board), a message every ${formatDuration(options.telemetryIntervalMs)}`],
    ['tokens', `live ${formatDuration(options.tokenLifeSeconds * 1000)}`],
    ['root', relative('.', started.rootFile)],
  ];
  if (guest !== undefined) {
    const port = started.hub.slice(started.hub.lastIndexOf(':') + 1);
    rows.push([
      'try it',
      formatConnectionString({ HostName: started.hubName, DeviceId: guest.deviceId, SharedAccessKey: guest.keyBase64, GatewayHostName: `localhost:${port}` }),
    ]);
  }
  const seed = started.seed === undefined ? '' : `, seed ${started.seed}`;
  const ending = options.durationMs === undefined ? 'Ctrl-C ends it' : `for ${formatDuration(options.durationMs)}`;
  return [style.bold(`Latchkey simulator, ${time}${seed}: ${ending}`), ...rows.map(([name, value]) => `  ${style.cyan(name.padEnd(8))}${value}`), ''].join('\n');
}

/** Of the scenario `root-migration`. */
function formatMigration({ online, recovered, rolledBack, stranded, lost }: SummaryEvent, style: Style): string {
  if (online === undefined) return '';
  const line = `online ${online}, recovered ${recovered}, rolledBack ${rolledBack}, lost ${lost}${stranded === 0 ? '' : `; stranded ${stranded}`}`;
  return `\n${stranded === 0 && lost === 0 ? style.green(line) : style.red(line)}`;
}

/** What a run came to, for people. */
export function formatSummary(summary: SummaryEvent, style: Style): string {
  const isClean = summary.lost === 0 && summary.acked === summary.sent;
  const messages = `sent ${summary.sent}, acknowledged ${summary.acked}, received ${summary.received}, lost ${summary.lost}, duplicated ${summary.duplicated}`;
  const connections = `connects ${summary.connects}, renewals ${summary.renewals}, old closed before new ${summary.oldClosedBeforeNew}, longest gap ${formatDuration(summary.maxGapMs)}`;
  return `\n${isClean ? style.green(messages) : style.red(messages)}\n${connections}${formatMigration(summary, style)}`;
}
