import type { AgentPart } from '../../agent/agent-part.ts';
import { LatchkeyError } from '../../agent/errors.ts';
import { numberedSource, type TelemetrySource } from './telemetry.ts';
import { Thermostat, THERMOSTAT_MODEL, type ThermostatHardware } from './thermostat.ts';
import type { Settings } from '../settings.ts';

/** One of the sample applications. */
export interface App {
  readonly source: TelemetrySource;
  /** What it does beside telemetry. */
  readonly part?: AgentPart;
  /** Plug and Play model. */
  readonly modelId?: string;
}

type Report = (patch: Readonly<Record<string, unknown>>) => boolean;

const APPS: Readonly<Record<string, (settings: Settings, report: Report, hardware: ThermostatHardware) => App>> = {
  /** Numbered messages of a fixed size. */
  load: (settings) => ({ source: numberedSource(settings.sizeBytes) }),
  thermostat(_settings, report, hardware) {
    const thermostat = new Thermostat({ report }, hardware);
    const source = { measure: () => thermostat.measure(), contentType: 'application/json', contentEncoding: 'utf-8' };
    return { source, part: thermostat, modelId: THERMOSTAT_MODEL };
  },
};

/** The application that the setting `app` names. @throws ERR_CONFIG for a name that none has */
export function chooseApp(settings: Settings, report: Report, hardware: ThermostatHardware): App {
  const make = Object.hasOwn(APPS, settings.app) ? APPS[settings.app] : undefined;
  if (make === undefined) throw new LatchkeyError('ERR_CONFIG', `settings: app must be one of ${Object.keys(APPS).join(', ')}, got "${settings.app}"`);
  return make(settings, report, hardware);
}
