/** A test file of test/conformance, and a piece of the name of one of its tests. */
export type Shown = readonly [file: string, test: string];
export const CLIENTS: readonly string[];
export const FEATURES: readonly { readonly feature: string; readonly cells: readonly (Shown | string)[] }[];
