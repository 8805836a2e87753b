/** What IoT Hub throttles. */
export type ThrottledOperation =
  | 'connect'
  | 'd2c-send'
  | 'c2d-send'
  | 'twin-read'
  | 'twin-update'
  | 'method'
  | 'registry'
  | 'query'
  | 'configuration'
  | 'job';

export interface OperationLimit {
  /** For the whole hub; operations, of methods bytes. */
  readonly perSecond: number;
  /** Taken at once before the rate counts. */
  readonly burst: number;
}

/** Ours: IoT Hub "accepts requests above the throttle for a limited time" and does not say for how long. */
const BURST_SECONDS = 10;

const PER_MINUTE = 60;

/** One unit of S1. @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-quotas-throttling#operation-throttles */
export function limitsOfS1(units = 1): Readonly<Record<ThrottledOperation, OperationLimit>> {
  const rate = (perSecond: number): OperationLimit => ({ perSecond, burst: Math.max(1, perSecond * BURST_SECONDS) });
  return {
    // "Higher of 100/sec or 12/sec/unit"
    connect: rate(Math.max(100, 12 * units)),
    'd2c-send': rate(Math.max(100, 12 * units)),
    // "1.67/sec/unit (100/min/unit)"
    'c2d-send': rate((100 * units) / PER_MINUTE),
    'twin-read': rate(100),
    'twin-update': rate(50),
    // "160 KB/sec/unit", metered in 4 KB
    method: rate(160 * 1024 * units),
    registry: rate((100 * units) / PER_MINUTE),
    query: rate((20 * units) / PER_MINUTE),
    configuration: rate((20 * units) / PER_MINUTE),
    job: rate((100 * units) / PER_MINUTE),
  };
}

/** "Throttling meter size is 4 KB": what a method's payload is rounded up to. */
export const METHOD_METER_BYTES = 4 * 1024;
