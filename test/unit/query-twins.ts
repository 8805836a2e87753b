import type { RowSource, SourceRow } from '../../host-sim/hub/query/run-query.ts';
import type { JsonRow } from '../../host-sim/hub/query/syntax.ts';

/** The twin of the documentation. @see https://learn.microsoft.com/azure/iot-hub/query-twins */
export function makeTwin(deviceId: string, changes: JsonRow = {}): JsonRow {
  return {
    deviceId,
    etag: 'AAAAAAAAAAc=',
    status: 'enabled',
    statusUpdateTime: '0001-01-01T00:00:00',
    connectionState: 'Disconnected',
    lastActivityTime: '0001-01-01T00:00:00',
    cloudToDeviceMessageCount: 0,
    authenticationType: 'sas',
    x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    version: 2,
    tags: { location: { region: 'US', plant: 'Redmond43' } },
    properties: {
      desired: { telemetryConfig: { configId: 'db00ebf5', sendFrequencyInSecs: 300 }, $version: 4 },
      reported: {
        connectivity: { type: 'cellular' },
        telemetryConfig: { configId: 'db00ebf5', sendFrequencyInSecs: 300, status: 'Success' },
        $version: 7,
      },
    },
    ...changes,
  };
}

export function sourceOf(devices: readonly JsonRow[], modules: readonly JsonRow[] = []): RowSource {
  const withKeys = (rows: readonly JsonRow[]): readonly SourceRow[] =>
    rows
      .map((row) => ({ key: [row.deviceId, row.moduleId].filter((part) => part !== undefined).join('/'), row }))
      .sort((one, other) => (one.key < other.key ? -1 : 1));
  return (collection, after) => withKeys(collection === 'devices' ? devices : modules).filter(({ key }) => after === undefined || key > after);
}
