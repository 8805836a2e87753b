import { InvalidArgumentError, type Command, type Option } from 'commander';

/** Placeholders of options that name a place or somebody: without a text that would be the folder one stands in, or everybody. */
const NAMING = /<(?:file|folder|id|key\.pem|name|port|uri|url)\b/;

/** Makes an empty value of such an option a usage error, for a command and all below it. A shell makes one of `--keep "$UNSET"`. */
export function refuseEmptyValues(command: Command): void {
  for (const option of command.options) if (NAMING.test(option.flags)) refuseEmpty(option);
  for (const child of command.commands) refuseEmptyValues(child);
}

function refuseEmpty(option: Option): void {
  const parse = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
  option.argParser((text: string, previous: unknown): unknown => {
    if (text.trim() === '') throw new InvalidArgumentError('It is empty: is a variable of the shell not set?');
    return parse === undefined ? text : parse.call(option, text, previous);
  });
}
