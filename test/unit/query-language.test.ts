import { describe, expect, test } from '@jest/globals';

import { runQuery } from '../../host-sim/hub/query/run-query.ts';
import type { Json, JsonRow } from '../../host-sim/hub/query/syntax.ts';
import { makeTwin, sourceOf } from './query-twins.ts';

const us = makeTwin('us');
const de = makeTwin('de', {
  tags: { location: { region: 'DE' }, 'a b': 'odd', list: ['x', 'y'], building: null },
  connectionState: 'Connected',
  lastActivityTime: '2021-05-07T00:50:38.0543092Z',
  capabilities: { iotEdge: true },
  configurations: { 'firmware-update': { status: 'Applied' } },
  properties: {
    desired: { $version: 1 },
    reported: { connectivity: 'wifi', telemetryConfig: { sendFrequencyInSecs: 30, status: 'Pending' }, battery: 0.5, name: "it's", $version: 2 },
  },
});
const bare = makeTwin('bare', { status: 'disabled', tags: {}, properties: { desired: { $version: 1 }, reported: { $version: 1, connectivity: 'wired' } } });
const camera = { ...makeTwin('us'), moduleId: 'camera', properties: { desired: {}, reported: { status: 'scanning' } } };
const radio = { ...makeTwin('de'), moduleId: 'radio', properties: { desired: {}, reported: { status: 'scanning' } } };
const source = sourceOf([us, de, bare], [camera, radio]);

const run = (text: string): readonly JsonRow[] => runQuery(text, source).rows;
const ids = (text: string): readonly (Json | undefined)[] => run(text).map(({ deviceId }) => deviceId);

describe('the queries of the documentation', () => {
  // https://learn.microsoft.com/azure/iot-hub/query-twins
  test.each<[string, readonly string[]]>([
    ['SELECT * FROM devices', ['bare', 'de', 'us']],
    ["SELECT * FROM devices\nWHERE tags.location.region = 'US'", ['us']],
    ["SELECT * FROM devices\n  WHERE tags.location.region = 'US'\n    AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 60", ['us']],
    ["SELECT * FROM devices\n  WHERE properties.reported.connectivity IN ['wired', 'wifi']", ['bare', 'de']],
    ['SELECT * FROM devices\n  WHERE is_defined(properties.reported.connectivity)', ['bare', 'de', 'us']],
    ["SELECT * FROM devices.modules\n  WHERE properties.reported.status = 'scanning'\n  AND deviceId IN ['us', 'device2']", ['us']],
    ["Select * from devices.modules where properties.reported.status = 'scanning'", ['de', 'us']],
    // https://learn.microsoft.com/azure/iot-hub/iot-hub-automatic-device-management
    ["/* Include the double brackets. */\nSELECT deviceId FROM devices \n  WHERE configurations.[[firmware-update]].status='Applied'", ['de']],
    // https://learn.microsoft.com/azure/iot-edge/how-to-deploy-at-scale
    ['SELECT deviceId FROM devices WHERE capabilities.iotEdge = true', ['de']],
  ])('%s', (text, expected) => {
    expect(ids(text)).toEqual(expected);
  });

  test('a projection names its members as the twin does, whatever case the query has', () => {
    expect(run("SELECT DeviceId, LastActivityTime FROM devices WHERE status = 'enabled' AND connectionState = 'Connected'")).toEqual([
      { deviceId: 'de', lastActivityTime: '2021-05-07T00:50:38.0543092Z' },
    ]);
  });

  test('COUNT() counts what the condition leaves', () => {
    expect(run('SELECT COUNT() as totalNumberOfDevices FROM devices')).toEqual([{ totalNumberOfDevices: 3 }]);
    expect(run("SELECT COUNT() AS none FROM devices WHERE deviceId = 'no'")).toEqual([{ none: 0 }]);
  });

  test('GROUP BY makes one row for each value, and leaves out the value that no twin has', () => {
    const text = `SELECT properties.reported.telemetryConfig.status AS status,
    COUNT() AS numberOfDevices
  FROM devices
  GROUP BY properties.reported.telemetryConfig.status`;
    expect(run(text)).toEqual([{ numberOfDevices: 1 }, { status: 'Pending', numberOfDevices: 1 }, { status: 'Success', numberOfDevices: 1 }]);
  });

  test('the aggregates sum up the numbers that there are', () => {
    const frequency = 'properties.reported.telemetryConfig.sendFrequencyInSecs';
    expect(run(`SELECT avg(${frequency}) AS a, SUM(${frequency}) AS s, MIN(${frequency}) AS l, MAX(${frequency}) AS g, MAX(deviceId) AS d, MIN(tags.none) AS n FROM devices`)).toEqual([
      { a: 165, s: 330, l: 30, g: 300, d: 'us' },
    ]);
  });
});

describe('a condition', () => {
  test.each<[string, readonly string[]]>([
    // Operators and their order.
    ["tags.location.region = 'DE' OR tags.location.region = 'US' AND status = 'disabled'", ['de']],
    ["(tags.location.region = 'DE' OR tags.location.region = 'US') AND status = 'disabled'", []],
    ["NOT status = 'enabled'", ['bare']],
    ["NOT NOT status = 'enabled'", ['de', 'us']],
    ["status <> 'enabled'", ['bare']],
    ["status != 'enabled'", ['bare']],
    ["deviceId NIN ['us', 'de']", ['bare']],
    ["deviceId IN []", []],
    ["deviceId > 'bare' AND deviceId <= 'de'", ['de']],
    ["lastActivityTime > '2016-09-01'", ['de']],
    ['properties.reported.battery * 2 = 1', ['de']],
    ['properties.reported.battery + 1 - 0.5 >= 1 AND 7 % 4 = 3 AND 2 + 3 * 4 = 14', ['de']],
    ['- properties.reported.battery = -0.5', ['de']],
    ['properties.reported.$version = 0x7', ['us']],
    ['properties.reported.battery = 5e-1', ['de']],
    ['1 / 0 = 1 / 0', []],
    // What a twin does not have is undefined, and nothing is true of undefined.
    ["tags.location.region != 'US'", ['de']],
    ["tags.location.region NIN ['US']", ['de']],
    ["NOT tags.location.region = 'US'", ['bare', 'de']],
    ['tags.building = null', ['de']],
    ['is_defined(tags.building)', ['de']],
    ['is_null(tags.building)', ['de']],
    ['tags.none = undefined', []],
    ["tags.location = 'US'", []],
    ["tags.location != 'US'", []],
    ['deviceId = 1', []],
    ['deviceId < 1', []],
    ['capabilities.iotEdge', ['de']],
    ['status', []],
    // Names.
    ["tags['a b'] = 'odd'", ['de']],
    ['tags["a b"] = "odd"', ['de']],
    ["tags.[[a b]] = 'odd'", ['de']],
    ["tags.list[1] = 'y'", ['de']],
    ["devices.deviceId = 'us'", ['us']],
    ["DEVICEID = 'us'", ['us']],
    ["tags.LOCATION.region = 'US'", []],
    ['is_defined(tags.constructor) OR is_defined(constructor) OR is_defined(tags.__proto__)', []],
    // Strings.
    ["properties.reported.name = 'it\\'s'", ['de']],
    ['properties.reported.name = "it\'s"', ['de']],
    ["deviceId = '\\u0075s'", ['us']],
    // Functions.
    ["STARTSWITH(devices.deviceId, 'u')", ['us']],
    ["starts_with(deviceId, 'u') AND ENDS_WITH(deviceId, 's') AND contains(deviceId, 'us')", ['us']],
    ["SUBSTRING(deviceId, 1) = 's' AND SUBSTRING(deviceId, 0, 1) = 'u' AND LENGTH(deviceId) = 2", ['us']],
    ["CONCAT(UPPER(deviceId), '-', LOWER('X')) = 'US-x' AND INDEX_OF(deviceId, 's') = 1", ['us']],
    ["AS_NUMBER('30') = properties.reported.telemetryConfig.sendFrequencyInSecs", ['de']],
    ['ABS(-1) = 1 AND CEILING(properties.reported.battery) = 1 AND FLOOR(0.5) = 0 AND SQRT(4) = 2 AND POWER(2, 3) = SQUARE(2) * 2 AND SIGN(-3) = -1 AND EXP(0) = 1', ['de']],
    ['is_string(deviceId) AND is_number(version) AND is_bool(capabilities.iotEdge) AND is_array(tags.list) AND is_object(tags) AND is_primitive(status)', ['de']],
    ['LENGTH(version) = 1', []],
    ["'x' IN tags.list", ['de']],
    ["deviceId IN [CONCAT('u', 's'), tags.none]", ['us']],
  ])('%s', (condition, expected) => {
    expect(ids(`SELECT * FROM devices WHERE ${condition}`)).toEqual(expected);
  });
});
