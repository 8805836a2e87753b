import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ToolCall {
  readonly args: readonly string[];
  readonly environment: readonly string[];
}

export interface FakeBlock {
  readonly key: string;
  readonly purpose: string;
  readonly readable: boolean;
  readonly writeable: boolean;
}

export interface EspefuseState {
  readonly major: 4 | 5;
  readonly chip: string;
  readonly mac: string;
  readonly blocks: readonly FakeBlock[];
  /** What every run says instead of doing anything. */
  readonly fault?: string;
  readonly burnFault?: string;
  /** Forgets to protect what it burns. */
  readonly leavesReadable?: boolean;
  readonly calls: readonly ToolCall[];
}

export interface EsptoolState {
  readonly major: 4 | 5;
  /** By port. */
  readonly boards: Readonly<Record<string, { readonly title: string; readonly family: string; readonly mac: string; readonly silent?: boolean; readonly denied?: boolean }>>;
  /** In the middle of this file the board goes away, or the tool is killed. */
  readonly cutAt?: number;
  readonly cut?: 'killed';
  /** This file is not confirmed. */
  readonly unverified?: number;
  readonly written: readonly (readonly [offset: number, byteCount: number])[];
  readonly erased: readonly (readonly [offset: number, byteCount: number])[];
  readonly calls: readonly ToolCall[];
}

export const EMPTY_BLOCK: FakeBlock = { key: '00'.repeat(32), purpose: 'USER', readable: true, writeable: true };
export const EMPTY_EFUSES: EspefuseState = { major: 5, chip: 'esp32c3', mac: '7c:df:a1:00:11:22', blocks: Array.from({ length: 6 }, () => EMPTY_BLOCK), calls: [] };

export interface FakeTool<State> {
  readonly state: () => State;
}

/** Puts a program into `folder` that plays `espefuse` (version 4: `espefuse.py`); its state survives from run to run. */
export function installFakeEspefuse(folder: string, state: EspefuseState): FakeTool<EspefuseState> {
  return install(folder, 'espefuse', state);
}

export function installFakeEsptool(folder: string, state: EsptoolState): FakeTool<EsptoolState> {
  return install(folder, 'esptool', state);
}

function install<State extends { readonly major: number }>(folder: string, name: 'espefuse' | 'esptool', state: State): FakeTool<State> {
  mkdirSync(folder, { recursive: true });
  const stateFile = join(folder, `${name}.state.json`);
  writeFileSync(stateFile, JSON.stringify(state));
  const script = fileURLToPath(new URL(`./fake-${name}.mjs`, import.meta.url));
  const program = join(folder, state.major >= 5 ? name : `${name}.py`);
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${script}' '${stateFile}' "$@"\n`);
  chmodSync(program, 0o755);
  return { state: () => JSON.parse(readFileSync(stateFile, 'utf8')) as State };
}
