import { CliError, EXIT } from '../terminal/cli-error.ts';
import { faultOf, type ToolResult } from './external-tool.ts';

const NOBODY = /could not open|no such file|failed to connect|no serial data|port is busy/i;
const DENIED = /permission denied/i;

/** Why nobody answers at `port`, or undefined when somebody did. */
export function explainPort(result: ToolResult, port: string): CliError | undefined {
  const fault = faultOf(result);
  if (DENIED.test(result.output)) {
    return new CliError('ERR_NO_BOARD', EXIT.unreachable, `this user may not open ${port}`, 'let it: sudo usermod -aG dialout "$USER"   (then log in again)');
  }
  if (!NOBODY.test(fault)) return undefined;
  return new CliError('ERR_NO_BOARD', EXIT.unreachable, `no board answers at ${port}: ${fault}`, 'plug it in, hold BOOT while pressing RESET, and close every other program that has the port open');
}
