import type { Command } from 'commander';
import { DEFAULT_DPS_HOST } from '../../firmware/agent/provisioning/dps-limits.ts';
import type { EfuseBoard } from '../chip-tools/espefuse.ts';
import { findProgram } from '../chip-tools/external-tool.ts';
import { CHIPS, findChip, type Chip } from '../firmware/chips.ts';
import { wipeKey } from '../provisioning/device-key.ts';
import { deriveHubKeys, keyNumberOf } from '../provisioning/hub-key-plan.ts';
import { identifyDevice } from '../provisioning/identity-source.ts';
import { openKeyRegistry, type KeyRegistry } from '../provisioning/key-registry.ts';
import { describeProvisionEvent } from '../provisioning/provision-events.ts';
import { defaultFolder, prepareRequest, type ProvisionInputs } from '../provisioning/provision-inputs.ts';
import { provision } from '../provisioning/provision.ts';
import { checkWifi, type Wifi } from '../provisioning/wifi.ts';
import { printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { parseConnectionString } from '../terminal/connection-string.ts';
import type { HostAndPort } from '../terminal/option-values.ts';
import { promptLine } from '../terminal/prompt.ts';
import { readSecret } from '../terminal/secret-source.ts';
import { addProvisionOptions, checkCombination, HTTPS_PORT, POLICY_ENVIRONMENT, PUBLIC_NTP, type ProvisionFlags } from './provision-options.ts';

const EXAMPLES = `Examples:
  npm run latchkey -- provision --chip esp32c3 --wifi-ssid home --connection-string-file dev1.txt    a board on the desk, nothing burnt
  npm run latchkey -- provision --chip esp32c3 --wifi-ssid home --connection-string-file dev1.txt --gateway 192.168.1.5:18883
  npm run latchkey -- provision --chip esp32c3 --release --new-key --dry-run --wifi-ssid home …      what a board in the field would get
  npm run latchkey -- provision --chip esp32c3 --release --new-key --burn --port /dev/ttyUSB0 …      and giving it
`;

export function addProvisionCommand(program: Command, context: CliContext): void {
  addProvisionOptions(program.command('provision'))
    .description("Makes what a board needs to be one device: settings, roots, Wi-Fi, and its key in the chip's secure storage. latchkey flash writes it.")
    .addHelpText('before', EXAMPLES)
    .action((flags: ProvisionFlags, command: Command) => {
      checkCombination(flags, command);
      return runProvision(flags, context);
    });
}

async function runProvision(flags: ProvisionFlags, context: CliContext): Promise<void> {
  const chip = findChip(flags.chip);
  if (chip === undefined) throw new CliError('ERR_CHIP', EXIT.configuration, `there is no manifest for ${flags.chip}`, `the chips are ${CHIPS.map(({ name }) => name).join(', ')}`);
  const { identity, dps, key } = await identifyDevice(flags, context);
  const folder = flags.out ?? defaultFolder(identity.deviceId);
  const keyNumber = keyNumberOf(flags, key, folder);
  const inputs: ProvisionInputs = {
    chip, isRelease: flags.release === true, keyPlace: flags.keyStore, signerBlock: flags.signerBlock, identity, dps, key, keyNumber,
    wifi: await readWifi(flags, context),
    gateway: flags.gateway, roots: flags.root, rootsBundle: flags.rootsBundle, recoveryHosts: flags.recoveryHost?.map(formatHostAndPort), ntp: flags.ntp?.map(formatHostAndPort) ?? PUBLIC_NTP,
    date: flags.date !== undefined ? formatHostAndPort(flags.date) : flags.gateway === undefined ? `${dps === undefined ? identity.hub : (dps.host ?? DEFAULT_DPS_HOST)}:${HTTPS_PORT}` : undefined,
    application: flags.app, tokenLifeSeconds: flags.tokenTtl, telemetryIntervalMs: flags.telemetryInterval, nvsKeyFile: flags.nvsKey,
  };
  const { request, deviceKey } = prepareRequest(inputs);
  const hubKeys = deriveHubKeys(flags, identity, keyNumber, deviceKey);
  try {
    const registry = hubKeys === undefined || flags.dryRun === true ? undefined : await openRegistry(flags, context);
    await provision({
      request, hub: identity.hub, deviceId: identity.deviceId, keyNumber, folder, dryRun: flags.dryRun === true, burn: flags.burn === true,
      board: openBoard(flags, chip, context), hubKeys, registry, nvsKeyFile: flags.saveNvsKey, secretFile: flags.saveSecret,
    }, {
      onEvent: (event) => (flags.json === true ? printJson(context, event) : printLine(context, describeProvisionEvent(event))),
      confirm: (question, words) => confirm(context, question, words),
    });
  } finally {
    if (deviceKey !== undefined) wipeKey(deviceKey);
    hubKeys?.primary.fill(0);
    hubKeys?.secondary.fill(0);
  }
}

/** A dry run asks for no password: the place of the settings does not depend on it. */
async function readWifi(flags: ProvisionFlags, context: CliContext): Promise<Wifi | undefined> {
  if (flags.wifiSsid === undefined) return undefined;
  const isAsked = flags.wifiOpen !== true && !(flags.dryRun === true && flags.wifiPasswordFile === undefined);
  const password = isAsked ? await readSecret(context, 'the Wi-Fi password', '--wifi-password-file', flags.wifiPasswordFile) : undefined;
  return checkWifi({ ssid: flags.wifiSsid, password });
}

function openBoard({ port }: ProvisionFlags, chip: Chip, context: CliContext): EfuseBoard | undefined {
  if (port === undefined) return undefined;
  return { program: findProgram('espefuse', context.env), chip, port, interrupted: context.interrupted };
}

async function openRegistry({ policyFile }: ProvisionFlags, context: CliContext): Promise<KeyRegistry | undefined> {
  const text = context.env[POLICY_ENVIRONMENT];
  if (policyFile !== undefined) return findRegistry(await readSecret(context, 'the policy', '--policy-file', policyFile), policyFile);
  return text === undefined || text === '' ? undefined : findRegistry(text, POLICY_ENVIRONMENT);
}

const findRegistry = (text: string, source: string): Promise<KeyRegistry> => openKeyRegistry(parseConnectionString(text, source));

async function confirm(context: CliContext, question: string, words: string): Promise<boolean> {
  if (context.stdin.isTTY !== true) {
    throw new CliError('ERR_CONFIRMATION', EXIT.configuration, 'burning asks a person, and stdin is no terminal', 'run it in a terminal; on a production line leave --burn out and burn the files that provision writes');
  }
  sayLine(context, question);
  return (await promptLine(context, `Type "${words}": `)) === words;
}

const formatHostAndPort = ({ host, port }: HostAndPort): string => `${host}:${port}`;
