import type { Configurations } from '../hub/configurations/configurations.ts';
import type { Scenario } from './scenarios.ts';

const ID = 'sim-thermostat';
/** Degrees Celsius; not what a thermostat starts with. */
const TARGET = 23;

/** One automatic configuration for all devices: it sets the target of the sample application, and counts who has reported it as done. */
export function planConfiguration(configurations: Configurations): Scenario {
  return {
    text: `a configuration sets targetTemperature to ${TARGET} in every device`,
    begin: () =>
      configurations.create(ID, {
        content: { deviceContent: { 'properties.desired.targetTemperature': TARGET } },
        targetCondition: '*',
        priority: 10,
        metrics: { queries: { done: `SELECT deviceId FROM devices WHERE properties.reported.targetTemperature.value = ${TARGET} AND properties.reported.targetTemperature.ac = 200` } },
      }),
    end: () => {
      const { systemMetrics, metrics } = configurations.read(ID);
      const { targetedCount, appliedCount } = systemMetrics.results;
      return `the configuration was applied to ${appliedCount} of ${targetedCount} devices, and ${metrics.results.done} have reported it as done`;
    },
  };
}
