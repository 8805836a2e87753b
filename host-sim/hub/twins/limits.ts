/** "An 8-KB size limit on the value of tags, and a 32-KB size limit each on properties/desired and properties/reported." */
export const PART_BYTES = { tags: 8 * 1024, desired: 32 * 1024, reported: 32 * 1024 } as const;

/**
 * Control characters, brackets and commas do not count towards a part's size: without a second bound, on its JSON, a twin could hold any
 * number of them. Ours; numbers of full length stay below it.
 */
export const TEXT_FACTOR = 4;

/** "All keys in JSON objects are UTF-8 encoded, case-sensitive, and up-to 1 KB in length." */
export const KEY_BYTES = 1_024;

/** "String values are UTF-8 encoded and can have a maximum length of 4 KB." */
export const STRING_BYTES = 4_096;

/** "The maximum depth of JSON objects in tags, desired properties, and reported properties is 10." Arrays count here too. */
export const MAX_DEPTH = 10;

export const MIN_INTEGER = -4_503_599_627_370_496;
export const MAX_INTEGER = 4_503_599_627_370_495;

/** From here on JSON writers put an exponent, and a number with an exponent is no integer to IoT Hub. */
export const FIRST_WITH_EXPONENT = 1e21;

/** What a value counts for, beside text. */
export const NUMBER_BYTES = 8;
export const BOOLEAN_BYTES = 4;
