import type { TwinPartName } from './check-properties.ts';

interface OfDevice {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** What happened to a twin; its contents are not told. */
export type TwinEvent =
  /** Somebody wrote: the device its reported properties, a service the rest. */
  | ({ readonly event: 'twinChanged'; readonly part: TwinPartName; readonly version: number; readonly replaced: boolean } & OfDevice)
  /** A device asked for its twin. */
  | ({ readonly event: 'twinRead'; readonly connection: number } & OfDevice)
  /** A device was told of a change of its desired properties. */
  | ({ readonly event: 'desiredSent'; readonly connection: number; readonly version: number } & OfDevice)
  /** A device's request was answered with an error. */
  | ({
      readonly event: 'twinRefused';
      readonly connection: number;
      readonly request: 'twin-get' | 'twin-reported';
      readonly status: number;
      readonly code: number;
      readonly detail: string;
    } & OfDevice);
