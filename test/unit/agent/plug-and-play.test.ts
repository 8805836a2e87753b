import { describe, expect, test } from '@jest/globals';

import { copyReported } from '../../../firmware/agent/json/copy-reported.ts';
import { acknowledgeWritable, componentProperties, parseCommand, reportComponent } from '../../../firmware/agent/plug-and-play.ts';
import { formatProperties } from '../../../firmware/agent/properties.ts';

// The texts are those of https://learn.microsoft.com/azure/iot/concepts-convention
describe('the Plug and Play convention', () => {
  test('acknowledges a writable property with value, ac, av and ad', () => {
    const reported = copyReported({ targetTemperature: acknowledgeWritable(23.2, { code: 200, version: 3, description: 'complete' }) });
    expect(JSON.stringify(reported)).toBe('{"targetTemperature":{"value":23.2,"ac":200,"av":3,"ad":"complete"}}');
    expect(JSON.stringify(copyReported({ a: acknowledgeWritable(1, { code: 203, version: 0 }) }))).toBe('{"a":{"value":1,"ac":203,"av":0}}');
  });

  test('marks a component with __t, and reads one that is marked', () => {
    const reported = copyReported(reportComponent('thermostat1', { maxTempSinceLastReboot: 38.7 }));
    expect(JSON.stringify(reported)).toBe('{"thermostat1":{"__t":"c","maxTempSinceLastReboot":38.7}}');
    expect(componentProperties({ __t: 'c', targetTemperature: 23.2 })).toEqual({ targetTemperature: 23.2 });
    expect([{ targetTemperature: 1 }, { __t: 'd' }, null, undefined, 'c', 1, []].map(componentProperties)).toEqual(new Array(7).fill(undefined));
  });

  test('names the component of telemetry in $.sub', () => {
    expect(formatProperties({ messageId: '1', component: 'thermostat1', application: { a: 'b' } })).toBe('%24.mid=1&%24.sub=thermostat1&a=b');
  });

  test.each([
    ['reboot', undefined, 'reboot'],
    ['thermostat1*getMaxMinReport', 'thermostat1', 'getMaxMinReport'],
    ['*', '', ''],
    ['a*b*c', 'a', 'b*c'],
  ])('finds component and command in %s', (name, component, command) => {
    expect(parseCommand(name)).toEqual({ component, command });
  });
});
