import type { Command } from 'commander';
import type { CliContext } from '../terminal/cli-context.ts';
import { jsonValue } from '../terminal/json-option.ts';
import { wholeNumber } from '../terminal/option-values.ts';
import { addHubOptions, addIdentityOptions, printResult, withClients, type IdentityFlags } from './service-command.ts';

/** IoT Hub waits 5 to 300 s for an answer, and 0 to 300 s for the device; 30 s where nothing is said. */
const MIN_TIMEOUT_SECONDS = 5;
const MAX_TIMEOUT_SECONDS = 300;
const DEFAULT_TIMEOUT_SECONDS = 30;

interface MethodFlags extends IdentityFlags {
  readonly methodName: string;
  readonly methodPayload?: unknown;
  readonly timeout: number;
  readonly connectTimeout?: number;
}

const EXAMPLES = `Examples:
  npm run latchkey -- invoke-method -d dev1 --mn reboot --mp 5
  npm run --silent latchkey -- invoke-method -d dev1 --mn getMaxMinReport --mp '"2026-01-01T00:00:00Z"' --json | jq .payload.maxTemp
`;

/** `latchkey invoke-method`, in the words of `az iot hub invoke-device-method`. */
export function addInvokeMethodCommand(program: Command, context: CliContext): void {
  const command = program.command('invoke-method').description('Calls a direct method, as az iot hub invoke-device-method and invoke-module-method do, and shows status and payload of the answer.').addHelpText('before', EXAMPLES);
  addHubOptions(addIdentityOptions(command))
    .requiredOption('--mn, --method-name <name>', 'the method')
    .option('--mp, --method-payload <json>', 'what it is given, or @FILE', jsonValue)
    .option('--to, --timeout <seconds>', 'how long the device may take to answer', wholeNumber(MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS), DEFAULT_TIMEOUT_SECONDS)
    .option('--connect-timeout <seconds>', 'how long to wait for a device that is not connected (default: 0)', wholeNumber(0, MAX_TIMEOUT_SECONDS))
    .action((flags: MethodFlags) => invokeMethod(flags, context));
}

async function invokeMethod(flags: MethodFlags, context: CliContext): Promise<void> {
  const { deviceId, moduleId, methodName, methodPayload, timeout, connectTimeout } = flags;
  await withClients(context, flags, async ({ client }) => {
    const parameters = { methodName, payload: methodPayload ?? null, responseTimeoutInSeconds: timeout, ...(connectTimeout === undefined ? {} : { connectTimeoutInSeconds: connectTimeout }) };
    const { result } = moduleId === undefined ? await client.invokeDeviceMethod(deviceId, parameters) : await client.invokeDeviceMethod(deviceId, moduleId, parameters);
    const { status, payload } = result as { readonly status: number; readonly payload: unknown };
    printResult(context, { payload, status }, flags);
  });
}
