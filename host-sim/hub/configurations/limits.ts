/** "100 configurations per paid SKU hub." @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-quotas-throttling#other-limits */
export const MAX_CONFIGURATIONS = 100;

/** "Each configuration can have up to five custom metrics." @see https://learn.microsoft.com/azure/iot-hub/iot-hub-automatic-device-management */
export const MAX_METRICS = 5;

/** Keys and values of labels have 128 characters at most (azure-iothub, configuration.d.ts). Their number is ours: no page names one. */
export const MAX_LABEL_CHARACTERS = 128;
export const MAX_LABELS = 20;

/** Of a metric's name. Ours. */
export const MAX_METRIC_NAME_CHARACTERS = 128;

/** Of a 32-bit integer, as the REST reference has it. */
export const MAX_PRIORITY = 2_147_483_647;

/** The body of one configuration: its content is desired properties (32 KB), its queries have 8,192 characters each. */
export const MAX_CONFIGURATION_BYTES = 256 * 1024;

/** Changes gather for so long before the twins that they concern are looked at. IoT Hub looks every five minutes. */
export const EVALUATION_DELAY_MS = 100;

/** Twins that are looked at before everything else has its turn again. */
export const EVALUATION_BATCH = 200;

/** How often a metric's condition is tried on a twin before everything else has its turn again: some 5 ms. */
export const EVALUATIONS_A_TURN = 5_000;

/**
 * A twin whose target conditions depend on what its device reports of the settings could be changed for ever. So many changes are made as
 * soon as they are due; then the twin waits for IoT Hub's own interval.
 */
export const PROMPT_CHANGES = 10;
export const EVALUATION_INTERVAL_MS = 5 * 60_000;
