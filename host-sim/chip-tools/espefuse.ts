import type { Chip } from '../firmware/chips.ts';
import type { PlannedBurn } from '../provisioning/plan.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { titleOf } from './esp-chips.ts';
import { commandName, faultOf, majorVersion, runTool, type ToolResult } from './external-tool.ts';
import { explainPort } from './port-fault.ts';
import { withSecretPipes } from './secret-pipe.ts';

/** What is known of a key block; never its content. */
export interface BlockState {
  readonly isEmpty: boolean;
  readonly purpose: string;
  readonly isReadable: boolean;
  readonly isWritable: boolean;
  /** The purpose stands in a field of its own. */
  readonly isPurposeWritable: boolean;
}

export interface EfuseSummary {
  /** `aa:bb:cc:dd:ee:ff` */
  readonly mac: string;
  readonly blocks: readonly BlockState[];
  /** Version of espefuse. */
  readonly toolMajor: number;
}

export interface EfuseBoard {
  /** espefuse. */
  readonly program: string;
  readonly chip: Chip;
  readonly port: string;
  readonly interrupted: AbortSignal;
}

interface Field {
  readonly value: unknown;
  readonly readable: boolean;
  readonly writeable: boolean;
}

const KEY_BLOCKS = [0, 1, 2, 3, 4, 5];

/** Reads the state of the key blocks. @throws ERR_EFUSE, ERR_CHIP, ERR_NO_BOARD */
export async function readEfuses(board: EfuseBoard): Promise<EfuseSummary> {
  const result = await runTool(board, [...commonArguments(board), 'summary', '--format', 'json'], board);
  const fields = result.code === 0 ? parseFields(result.output) : undefined;
  if (fields === undefined) throw explain(board, result, 'the eFuses cannot be read');
  const mac = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}/i.exec(String(fields['MAC']?.value))?.[0];
  if (mac === undefined) throw explain(board, result, 'espefuse does not say the MAC address');
  return { mac: mac.toLowerCase(), toolMajor: majorVersion(result.output, board.program), blocks: KEY_BLOCKS.map((block) => stateOf(fields, block)) };
}

/**
 * Burns all of `burns` in one run: purpose, key, read and write protection. Nothing takes it back.
 * @throws ERR_EFUSE
 */
export async function burnKeys(board: EfuseBoard, toolMajor: number, burns: readonly PlannedBurn[]): Promise<void> {
  const result = await withSecretPipes(burns.map(({ key }) => key), (paths) => runTool(board, burnArguments({ ...board, major: toolMajor }, burns, paths), board));
  if (result.code !== 0) throw explain(board, result, 'the keys were not burnt');
}

/** The command line of espefuse that burns `burns` from `files`; it holds no key. */
export function burnArguments(board: Pick<EfuseBoard, 'chip' | 'port'> & { readonly major: number }, burns: readonly PlannedBurn[], files: readonly string[]): readonly string[] {
  const groups = burns.flatMap(({ block, purpose }, index) => [`BLOCK_KEY${block}`, files[index] ?? '', purpose]);
  // Protection against reading and writing is what espefuse does unless told otherwise; readEfuses checks it afterwards.
  return [...commonArguments(board), '--do-not-confirm', commandName(board, 'burn-key'), ...groups];
}

/** Why a block cannot take a key, or undefined when it is empty. */
export function whyNotBurnable(state: BlockState): string | undefined {
  if (state.purpose !== 'USER') return `was burnt for the purpose ${state.purpose}`;
  if (!state.isReadable) return 'is read-protected, so it holds something';
  if (!state.isEmpty) return 'holds bytes already';
  return state.isWritable && state.isPurposeWritable ? undefined : 'is write-protected';
}

/** Why a burnt block is not safe to use, or undefined. */
export function whyNotProtected(state: BlockState): string | undefined {
  if (state.purpose === 'USER' && state.isEmpty && state.isReadable) return 'is not burnt';
  if (state.purpose !== 'HMAC_UP') return `has the purpose ${state.purpose} instead of HMAC_UP`;
  if (state.isReadable) return 'can be read by software';
  if (state.isWritable) return 'can be written to';
  return state.isPurposeWritable ? 'can be given another purpose' : undefined;
}

function commonArguments({ chip, port }: Pick<EfuseBoard, 'chip' | 'port'>): readonly string[] {
  return ['--chip', chip.family, '--port', port];
}

function stateOf(fields: Readonly<Record<string, Field>>, block: number): BlockState {
  const content = fields[`BLOCK_KEY${block}`];
  const purpose = fields[`KEY_PURPOSE_${block}`];
  return {
    isEmpty: /^[0\s]*$/.test(String(content?.value)),
    purpose: String(purpose?.value ?? 'unknown'),
    isReadable: content?.readable !== false,
    isWritable: content?.writeable !== false,
    isPurposeWritable: purpose?.writeable !== false,
  };
}

function parseFields(output: string): Readonly<Record<string, Field>> | undefined {
  try {
    return JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1)) as Readonly<Record<string, Field>>;
  } catch {
    return undefined;
  }
}

/** What the tool said, as one of our errors. */
function explain({ chip, port }: EfuseBoard, result: ToolResult, what: string): CliError {
  const portFault = explainPort(result, port);
  if (portFault !== undefined) return portFault;
  const fault = faultOf(result);
  if (/chip is|wrong chip|unexpected chip|this chip/i.test(fault)) {
    return new CliError('ERR_CHIP', EXIT.configuration, `the board at ${port} is no ${titleOf(chip)}: ${fault}`, 'give --chip the chip that is on the board');
  }
  return new CliError('ERR_EFUSE', EXIT.failed, `${what}: ${fault}`, 'nothing was changed unless espefuse said so: look with espefuse summary');
}
