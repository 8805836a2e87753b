import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withLock } from '../board/lock.ts';
import { projectPath } from '../board/project-path.ts';
import type { ServerCredentials } from '../hub/listen.ts';

const DAY_MS = 24 * 3600 * 1000;
/** Certificates begin a day early, for clocks that are behind, and hold ten years: virtual time runs far. */
const VALID_MS = 10 * 365 * DAY_MS;
/** Certificates that end sooner are made anew. */
const RENEW_MS = 365 * DAY_MS;

/** The development PKI of the simulator, kept in `.build/` so that a second start does not make another. */
export interface LocalPki {
  readonly tls: ServerCredentials;
  readonly rootDer: Uint8Array;
  /** The root as PEM, for other clients. */
  readonly rootFile: string;
}

interface PkiRecord {
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * @param names DNS names and addresses of the server
 * @param nowMs the time at which the certificates must hold
 * @param label whose: programs that run at the same time with other names or another time have folders of their own
 */
export async function openLocalPki(names: readonly string[], nowMs: number, label: string): Promise<LocalPki> {
  const folder = projectPath(`.build/pki-${label}`);
  const recordFile = join(folder, 'pki.json');
  if (!isUsable(recordFile, names, nowMs)) {
    mkdirSync(dirname(folder), { recursive: true });
    await withLock(`${folder}.lock`, async () => {
      if (!isUsable(recordFile, names, nowMs)) await makePki(folder, recordFile, names, nowMs);
    });
  }
  const rootFile = join(folder, 'root.pem');
  return {
    tls: { certificateChain: readFileSync(join(folder, 'server-chain.pem'), 'utf8'), privateKey: readFileSync(join(folder, 'server.key.pem'), 'utf8') },
    rootDer: readFileSync(join(folder, 'root.der')),
    rootFile,
  };
}

/** The record is there only while the files belong together. */
async function makePki(folder: string, recordFile: string, names: readonly string[], nowMs: number): Promise<void> {
  const { createDevelopmentPki, saveDevelopmentPki } = await import('../../certs/development-pki.ts');
  const record: PkiRecord = { names, notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + VALID_MS };
  const pki = await createDevelopmentPki({ names, notBefore: new Date(record.notBeforeMs), notAfter: new Date(record.notAfterMs) });
  rmSync(recordFile, { force: true });
  saveDevelopmentPki(pki, folder);
  writeFileSync(`${recordFile}.new`, JSON.stringify(record));
  renameSync(`${recordFile}.new`, recordFile);
}

function isUsable(recordFile: string, names: readonly string[], nowMs: number): boolean {
  if (!existsSync(recordFile)) return false;
  const record = JSON.parse(readFileSync(recordFile, 'utf8')) as PkiRecord;
  return names.join() === record.names.join() && record.notBeforeMs <= nowMs && nowMs + RENEW_MS <= record.notAfterMs;
}
