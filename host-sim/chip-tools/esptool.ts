import type { Chip } from '../firmware/chips.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { commandName, faultOf, runTool, type ExternalTool, type ToolResult } from './external-tool.ts';
import { explainPort } from './port-fault.ts';

/** Fast enough, and every USB bridge knows it. */
export const DEFAULT_BAUD = 460_800;

export interface FoundBoard {
  readonly port: string;
  /** `esp32c3`; what esptool calls `ESP32-C3`. */
  readonly family: string;
  /** `aa:bb:cc:dd:ee:ff`, where the chip tells it. */
  readonly mac?: string | undefined;
}

export interface FileAt {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface FlashTarget {
  readonly tool: ExternalTool;
  readonly chip: Pick<Chip, 'family'>;
  readonly port: string;
  readonly baud: number;
  readonly interrupted: AbortSignal;
}

/** Asks the chip at `port` what it is. @throws ERR_NO_BOARD, ERR_FLASH */
export async function identifyBoard(tool: ExternalTool, port: string, interrupted: AbortSignal): Promise<FoundBoard> {
  const result = await runTool(tool, ['--port', port, ...resets(tool, 'default-reset', 'no-reset'), commandName(tool, 'chip-id')], { interrupted });
  const title = /^Chip (?:type:|is)\s+(ESP32(?:-[A-Z0-9]+)?)/im.exec(result.output)?.[1];
  if (result.code !== 0 || title === undefined) throw explain(result, port, 'the board does not say which chip it has');
  return { port, family: familyOf(title), mac: /^(?:BASE )?MAC:\s+([0-9a-f:]{17})/im.exec(result.output)?.[1]?.toLowerCase() };
}

/** `ESP32-C3FH4` is an ESP32-C3 with flash inside; `ESP32-D0WD-V3` is a classic ESP32. */
function familyOf(title: string): string {
  const variant = /^ESP32-((?:[CSHP])\d+)/i.exec(title)?.[1];
  return variant === undefined ? 'esp32' : `esp32${variant.toLowerCase()}`;
}

/** Erases whole sectors. @throws ERR_FLASH, ERR_NO_BOARD */
export async function eraseRegion(target: FlashTarget, offset: number, sizeBytes: number): Promise<void> {
  const result = await runTool(target.tool, [...common(target, 'no-reset'), commandName(target.tool, 'erase-region'), hex(offset), hex(sizeBytes)], target);
  if (result.code !== 0) throw explain(result, target.port, 'a partition could not be erased');
}

/**
 * Writes files and has the chip compare their digests; then the chip restarts.
 * @param onProgress the address that is being written, and how far that file is, in percent
 * @throws ERR_FLASH, ERR_NO_BOARD
 */
export async function writeFlash(target: FlashTarget, files: readonly FileAt[], onProgress: (address: number, percent: number) => void): Promise<void> {
  const pairs = files.flatMap(({ offset, path }) => [hex(offset), path]);
  let line = '';
  const onText = (text: string): void => {
    const lines = (line + text).split(/[\r\n]+/);
    line = lines.pop() ?? '';
    for (const each of lines) {
      const match = /Writing at 0x([0-9a-f]+).*?(\d+(?:\.\d+)?)\s?%/i.exec(each);
      if (match !== null) onProgress(Number.parseInt(match[1] ?? '', 16), Number(match[2]));
    }
  };
  const result = await runTool(target.tool, [...common(target, 'hard-reset'), commandName(target.tool, 'write-flash'), '--compress', ...pairs], { ...target, onText });
  if (result.code !== 0) throw explain(result, target.port, 'the flash was written in part only');
  const verified = result.output.match(/Hash of data verified/g)?.length ?? 0;
  if (verified < files.length) {
    throw new CliError('ERR_FLASH', EXIT.failed, `the chip has confirmed ${verified} of ${files.length} files`, 'run the same command again; if it stays so, the flash of this board is worn or locked');
  }
}

function common(target: FlashTarget, after: 'no-reset' | 'hard-reset'): readonly string[] {
  return ['--chip', target.chip.family, '--port', target.port, '--baud', String(target.baud), ...resets(target.tool, 'default-reset', after)];
}

/** Values are spelled as commands are. */
function resets(tool: ExternalTool, before: string, after: string): readonly string[] {
  return ['--before', commandName(tool, before), '--after', commandName(tool, after)];
}

const CUT = /stopped responding|lost connection|device disconnected|input\/output error|device not configured|serial exception|timed out waiting|write timeout|ended by a signal/i;

/** What the tool said, as one of our errors. */
function explain(result: ToolResult, port: string, what: string): CliError {
  const portFault = explainPort(result, port);
  if (portFault !== undefined) return portFault;
  const fault = faultOf(result);
  if (/this chip is|wrong chip|not an? esp32/i.test(fault)) {
    return new CliError('ERR_CHIP', EXIT.configuration, `the board at ${port} has another chip: ${fault}`, 'give --chip the chip that is on the board');
  }
  const isCut = result.code === null || CUT.test(fault);
  return new CliError('ERR_FLASH', EXIT.failed, `${what}: ${isCut ? 'the board or the tool went away' : ''}${isCut ? ` (${fault})` : fault}`, isCut
    ? 'run the same command again: a half-written board starts nothing, and every file is written anew'
    : 'run it again with another cable or a lower speed: --baud 115200');
}

const hex = (address: number): string => `0x${address.toString(16)}`;
