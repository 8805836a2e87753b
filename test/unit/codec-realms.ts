import { createContext, runInContext } from 'node:vm';

import { build } from 'esbuild';

import * as framer from '../../firmware/agent/mqtt/framer.ts';
import * as mqtt from '../../firmware/codecs/mqtt.ts';
import * as text from '../../firmware/codecs/text.ts';
import { codecPlugin } from '../../host-sim/bundling/codec-plugin.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';

export type Codecs = typeof mqtt & typeof text & typeof framer;

/** The firmware's codecs and framer as they are bundled for the board, minified. */
export async function bundleCodecs(): Promise<string> {
  const result = await build({
    stdin: {
      contents: `
        export * from './firmware/codecs/mqtt.ts';
        export * from './firmware/codecs/text.ts';
        export * from './firmware/agent/mqtt/framer.ts';`,
      resolveDir: projectPath('.'),
      loader: 'ts',
    },
    bundle: true,
    format: 'iife',
    globalName: 'codecs',
    target: 'es2022',
    minify: true,
    write: false,
    plugins: [codecPlugin()],
  });
  return result.outputFiles[0]!.text;
}

/** Where the codecs run: as modules of Node, and as the bundle among nothing but the built-ins of ECMAScript, frozen after load or not. */
export const REALMS = ['on Node', 'bundled', 'bundled and frozen'] as const;

export async function loadCodecs(realm: (typeof REALMS)[number], beforeLoad = ''): Promise<Codecs> {
  if (realm === 'on Node') return { ...mqtt, ...text, ...framer };
  const context = createContext(Object.create(null));
  runInContext(beforeLoad, context);
  runInContext(`'use strict';${await bundleCodecs()};globalThis.loaded = codecs;`, context);
  if (realm === 'bundled and frozen') runInContext(FREEZE_ALL, context);
  return runInContext('loaded', context) as Codecs;
}

/** What preload does to built-ins and exports, as far as a script can. */
const FREEZE_ALL = `{
  const seen = new Set();
  const freeze = (value) => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || seen.has(value)) return;
    seen.add(value);
    if (!ArrayBuffer.isView(value)) Object.freeze(value);
    freeze(Object.getPrototypeOf(value));
    for (const descriptor of Object.values(Object.getOwnPropertyDescriptors(value))) {
      freeze(descriptor.value);
      freeze(descriptor.get);
      freeze(descriptor.set);
    }
  };
  for (const name of Object.getOwnPropertyNames(globalThis)) if (name !== 'globalThis') freeze(globalThis[name]);
}`;

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

/** What `action` throws: its name, `code` where it has one, and message. `undefined` when it returns. */
export function thrown(action: () => unknown): { name: string; code?: unknown; message: string } | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    const { name, code, message } = error as { name: string; code?: unknown; message: string };
    return { name, code, message };
  }
}
