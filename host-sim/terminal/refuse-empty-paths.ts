import { InvalidArgumentError, type Command, type Option } from 'commander';

/** Placeholders of options that name a place: an empty text would be the folder that the program happens to run in. */
const PLACE = /<(?:file|folder|key\.pem|port|uri|url)\b/;

/** Makes an empty value of a file or folder option a usage error, for a command and all below it. A shell makes one of `--keep "$UNSET"`. */
export function refuseEmptyPaths(command: Command): void {
  for (const option of command.options) if (PLACE.test(option.flags)) refuseEmpty(option);
  for (const child of command.commands) refuseEmptyPaths(child);
}

function refuseEmpty(option: Option): void {
  const parse = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
  option.argParser((text: string, previous: unknown): unknown => {
    if (text.trim() === '') throw new InvalidArgumentError('It is empty: is a variable of the shell not set?');
    return parse === undefined ? text : parse.call(option, text, previous);
  });
}
