import { join } from 'node:path';
import { replaceFile } from '../board/replace-file.ts';
import { burnArguments, burnKeys, readEfuses, whyNotBurnable, whyNotProtected, type EfuseBoard, type EfuseSummary } from '../chip-tools/espefuse.ts';
import { NVS_EFUSE_BLOCK } from '../firmware/chips.ts';
import { shellLine, shellWord } from '../terminal/shell-word.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { emulatedMac, encodeEmulatedEfuses } from './emulated-efuses.ts';
import type { KeyRegistry } from './key-registry.ts';
import { planProvisioning, wipePlan, type ProvisionPlan, type ProvisionRequest } from './plan.ts';
import type { ProvisionEvent } from './provision-events.ts';
import { writeProvisionFolder } from './provision-folder.ts';

export interface ProvisionJob {
  readonly request: ProvisionRequest;
  readonly hub: string;
  readonly deviceId: string;
  /** Which hub key the board derives. */
  readonly keyNumber?: number | undefined;
  readonly folder: string;
  readonly dryRun: boolean;
  /** Connected, for its eFuses. */
  readonly board?: EfuseBoard | undefined;
  readonly burn: boolean;
  /** Keys that the hub is to have; the owner wipes them. */
  readonly hubKeys?: { readonly primary: Buffer; readonly secondary: Buffer } | undefined;
  readonly registry?: KeyRegistry | undefined;
  /** Where the HMAC key of NVS is kept, for changing settings later. */
  readonly nvsKeyFile?: string | undefined;
  /** Where the secret is kept that hub keys are derived from. */
  readonly secretFile?: string | undefined;
}

export interface ProvisionView {
  readonly onEvent: (event: ProvisionEvent) => void;
  /** Asks a person to type the words; false: they were not typed. */
  readonly confirm: (question: string, words: string) => Promise<boolean>;
}

/**
 * Everything that can fail without harm comes first, burning last: a key is in the hub (or in files) and the images are on disk before its
 * block is written.
 */
export async function provision(job: ProvisionJob, view: ProvisionView): Promise<void> {
  const plan = planProvisioning(job.request);
  try {
    tellPlan(plan, job, view.onEvent);
    const summary = await lookAtBoard(plan, job, view.onEvent);
    if (job.dryRun) return view.onEvent({ event: 'done', next: 'the same without --dry-run' });
    const burns = job.burn && plan.burns.length > 0 ? summary : undefined;
    if (burns !== undefined) await askToBurn(plan, burns, view);
    writeFiles(plan, job, view.onEvent);
    await giveKeys(job, view.onEvent);
    if (job.board !== undefined && burns !== undefined) await burn(plan, job.board, burns, view.onEvent);
    view.onEvent({ event: 'done', next: shellLine(['latchkey', 'flash', '--chip', plan.chip.name, '--provision', job.folder, ...(plan.chip.isEmulated ? ['--to-file', join(job.folder, 'flash.bin')] : [])]) });
  } finally {
    wipePlan(plan);
  }
}

function tellPlan(plan: ProvisionPlan, job: ProvisionJob, tell: ProvisionView['onEvent']): void {
  tell({ event: 'plan', chip: plan.chip.name, hub: job.hub, device: job.deviceId, dryRun: job.dryRun, settings: plan.settingNames });
  for (const { partition, what } of plan.images) tell({ event: 'range', action: 'write', partition: partition.label, ...rangeOf(partition), what });
  for (const partition of plan.erases) tell({ event: 'range', action: 'erase', partition: partition.label, ...rangeOf(partition), what: 'what an earlier device has left' });
  for (const { block, purpose, use } of plan.burns) tell({ event: 'block', block, purpose, use });
}

async function askToBurn(plan: ProvisionPlan, { mac }: EfuseSummary, view: ProvisionView): Promise<void> {
  const words = `burn ${plan.burns.map(({ block }) => `KEY${block}`).join(' ')} ${mac}`;
  if (await view.confirm('What is burnt cannot be undone.', words)) return;
  throw new CliError('ERR_CONFIRMATION', EXIT.failed, 'the words were not typed: nothing was burnt and nothing was written', `type exactly: ${words}`);
}

/** Reads the eFuses of the board that is there. @throws ERR_EFUSE when a block that is to be burnt is not empty */
async function lookAtBoard(plan: ProvisionPlan, { board, request, burn }: ProvisionJob, tell: ProvisionView['onEvent']): Promise<EfuseSummary | undefined> {
  if (board === undefined) return undefined;
  const summary = await readEfuses(board);
  tell({ event: 'board', port: board.port, mac: summary.mac, blocks: summary.blocks });
  if (!board.chip.hasHmac) return summary;
  const planned = new Set(plan.burns.map(({ block }) => block));
  for (const [block, state] of summary.blocks.entries()) {
    const fault = planned.has(block) ? (burn ? whyNotBurnable(state) : undefined) : undefined;
    if (fault !== undefined) {
      throw new CliError('ERR_EFUSE', EXIT.configuration, `BLOCK_KEY${block} ${fault}`, 'give another block (--signer-block), or --keep-key when this board was provisioned before and only its settings change');
    }
  }
  if (request.nvs.type === 'hmac' && request.nvs.isBurnt) checkProtected(summary.blocks, [NVS_EFUSE_BLOCK]);
  return summary;
}

function checkProtected(blocks: EfuseSummary['blocks'], wanted: readonly number[]): void {
  for (const block of wanted) {
    const state = blocks[block];
    const fault = state === undefined ? 'is not there' : whyNotProtected(state);
    if (fault !== undefined) throw new CliError('ERR_EFUSE', EXIT.failed, `BLOCK_KEY${block} ${fault}`, 'the firmware will not use it: provision another block, or another board');
  }
}

function writeFiles(plan: ProvisionPlan, job: ProvisionJob, tell: ProvisionView['onEvent']): void {
  const record = writeProvisionFolder(job.folder, plan, job);
  tell({ event: 'folder', folder: job.folder, files: record.images.map(({ file }) => file) });
  if (job.nvsKeyFile !== undefined && job.request.nvs.type === 'hmac') saveSecret(job.nvsKeyFile, job.request.nvs.hmacKey);
  if (job.secretFile !== undefined && job.request.key !== undefined) saveSecret(job.secretFile, job.request.key.deviceKey.bytes);
  if (plan.chip.isEmulated && job.request.key !== undefined) return writeEfuses(plan, job, tell);
  if (plan.burns.length === 0 || job.burn) return;
  const files = plan.burns.map(({ block }) => join(job.folder, `efuse-key${block}.bin`));
  for (const [index, { key }] of plan.burns.entries()) replaceFile(files[index] ?? '', key);
  const args = burnArguments({ major: 5, chip: plan.chip, port: 'PORT' }, plan.burns, files);
  tell({ event: 'unburnt', line: shellLine(['espefuse', ...args.filter((argument) => argument !== '--do-not-confirm')]), files });
}

function saveSecret(path: string, secret: Uint8Array): void {
  try {
    replaceFile(path, secret);
  } catch (cause) {
    throw new CliError('ERR_FILE', EXIT.configuration, `cannot write ${path}; nothing was burnt`, 'check that its folder is there and that this user may write to it', { cause });
  }
}

/** An emulated chip keeps its eFuses in a file: there keys are burnt by writing it. */
function writeEfuses(plan: ProvisionPlan, { folder, deviceId }: ProvisionJob, tell: ProvisionView['onEvent']): void {
  const path = join(folder, 'efuse.bin');
  const mac = emulatedMac(deviceId);
  const file = encodeEmulatedEfuses(plan.chip, mac, plan.burns);
  replaceFile(path, file);
  file.fill(0);
  tell({ event: 'emulated', file: path, mac: [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':') });
}

async function giveKeys({ hubKeys, registry, hub, deviceId, folder }: ProvisionJob, tell: ProvisionView['onEvent']): Promise<void> {
  if (hubKeys === undefined) return;
  const texts = { primary: hubKeys.primary.toString('base64'), secondary: hubKeys.secondary.toString('base64') };
  if (registry !== undefined) {
    await registry.setKeys(deviceId, texts);
    return tell({ event: 'keys', place: 'registry', hub, device: deviceId });
  }
  const primary = join(folder, 'primary.key');
  const secondary = join(folder, 'secondary.key');
  replaceFile(primary, texts.primary);
  replaceFile(secondary, texts.secondary);
  const start = shellLine(['az', 'iot', 'hub', 'device-identity', 'update', '--hub-name', hub.split('.')[0] ?? hub, '--device-id', deviceId]);
  const line = `${start} --primary-key "$(cat ${shellWord(primary)})" --secondary-key "$(cat ${shellWord(secondary)})"`;
  tell({ event: 'keys', place: 'files', line, files: [primary, secondary] });
}

async function burn(plan: ProvisionPlan, board: EfuseBoard, { toolMajor }: EfuseSummary, tell: ProvisionView['onEvent']): Promise<void> {
  await burnKeys(board, toolMajor, plan.burns);
  const { blocks } = await readEfuses(board);
  checkProtected(blocks, plan.burns.map(({ block }) => block));
  for (const { block, purpose } of plan.burns) tell({ event: 'burnt', block, purpose });
}

function rangeOf({ offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number }): { from: number; to: number } {
  return { from: offset, to: offset + sizeBytes - 1 };
}
