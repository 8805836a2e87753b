import { readFileSync } from 'node:fs';

import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';

/** What every script about JSON finds in scope: the agent's modules, out of flash. */
const MODULES = `
const { NameBudget } = preloaded["agent/json/name-budget"];
const { parseBounded } = preloaded["agent/json/parse-bounded"];
const { PropertyNames } = preloaded["agent/json/property-names"];
const { TwinScanner } = preloaded["agent/json/twin-scanner"];
const { copyReported } = preloaded["agent/json/copy-reported"];
const { mergeReported } = preloaded["agent/json/merge-reported"];
const { textCodec } = preloaded["codecs/text"];
`;

/** The agent and the codecs as a script for `FixtureOptions.preload`. */
export async function preloadedAgent(): Promise<string> {
  const { preload } = await buildFirmware({ app: projectPath('test/board/codec-app.ts') });
  return readFileSync(preload, 'utf8');
}

export function jsonScript(body: string): string {
  return MODULES + body;
}

const PART_CHARACTERS = 1024;

/**
 * A legal twin answer of at least `minBytes` as a hub sends it: 32 KB of desired and of reported properties, and their metadata, in which
 * the registered `thermostat` and `roots` are small. ASCII.
 */
export function largeTwin(minBytes: number): string {
  const section = (version: number): object => {
    const other = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`component${version}_${i}`, { setting: 'x'.repeat(600), list: [i, -1.5e3, true, null], 'q"u\\o': '\u0007\n' }]));
    const metadata = Object.fromEntries(Object.keys(other).map((name) => [name, { $lastUpdated: '2026-11-22T17:30:58.1234567Z', setting: { $lastUpdated: '2026-11-22T17:30:58.1234567Z' } }]));
    return { ...other, thermostat: { target: 21.5, unit: 'C', schedule: [[8, 20], [22, 17]] }, roots: { version }, $metadata: metadata, $version: version };
  };
  const twin = { desired: section(7), reported: section(12) };
  const missing = minBytes - JSON.stringify(twin).length;
  return JSON.stringify({ desired: { padding: 'p'.repeat(Math.max(missing, 0)), ...twin.desired }, reported: twin.reported });
}

/** `const parts`, and `chunks(size, use)` that hands `use` the bytes of a part after the other in pieces of `size`. */
export function partsScript(ascii: string): string {
  const parts = Array.from({ length: Math.ceil(ascii.length / PART_CHARACTERS) }, (_, i) => ascii.slice(i * PART_CHARACTERS, (i + 1) * PART_CHARACTERS));
  return `
const parts = ${JSON.stringify(parts)};
const chunks = (size, use) => {
  for (const part of parts) {
    const bytes = textCodec.encodeUtf8(part);
    for (let at = 0; at < bytes.length; at += size) use(bytes.subarray(at, at + size));
  }
};
`;
}
