/** "Maximum number of modules per device". @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-quotas-throttling#other-limits */
export const MAX_MODULES = 50;

/** Ours, of one process's memory; IoT Hub holds 1,000,000. A device takes about 2 KB, with full twins 70 KB. */
export const MAX_DEVICES = 20_000;

/** "Listing device identities: up to 1000". */
export const MAX_LISTED = 1_000;

/** azure-iothub and the documentation: at most 100 devices in one bulk operation. */
export const MAX_BULK_ITEMS = 100;

/** "A 128-character-long string that stores the reason for the device identity status." */
export const STATUS_REASON_CHARACTERS = 128;
