import { expect, test } from '@jest/globals';
import { faultOf, majorVersion } from '../../../host-sim/chip-tools/external-tool.ts';
import { shellLine } from '../../../host-sim/terminal/shell-word.ts';

/** As esptool and espefuse 4.8.1 and 5.0.2 printed it. */
const SAID: readonly (readonly [string, number | null, string, string])[] = [
  ['version 5, no port', 2, "esptool v5.0.2\n\nA fatal error occurred: Could not open /dev/ttyNONE, the port is busy or doesn't exist.\n([Errno 2] could not open port /dev/ttyNONE: [Errno 2] No such file or directory: '/dev/ttyNONE')\n\nHint: Check if the port is correct and ESP connected\n", "Could not open /dev/ttyNONE, the port is busy or doesn't exist."],
  ['version 4, a block that is not empty', 2, "espefuse.py v4.8.1\n\nA fatal error occurred: \tBLOCK_KEY4 is read-protected.\tBurn in this case may damage an already written value.(use '--force-write-always' option to ignore it)\n", "BLOCK_KEY4 is read-protected.\tBurn in this case may damage an already written value.(use '--force-write-always' option to ignore it)"],
  ['a stack of Python', 1, 'Traceback (most recent call last):\n  File "x.py", line 1\nModuleNotFoundError: No module named \'reedsolo\'\n', "ModuleNotFoundError: No module named 'reedsolo'"],
  ['a line and nothing more', 1, 'esptool v5.0.2\nConnecting....\n', 'Connecting....'],
  ['nothing, by a signal', null, '', 'it was ended by a signal'],
  ['nothing', 3, '\n', 'exit code 3'],
];

test.each(SAID)('%s: the fault is one line', (_, code, output, fault) => {
  expect(faultOf({ code, output })).toBe(fault);
});

test.each([['espefuse v5.0.2', 5], ['espefuse.py v4.8.1', 4], ['esptool.py v4.8.1\n4.8.1', 4], ['DEPRECATED: …\nesptool v5.3.1', 5]])('%j is version %i', (output, major) => {
  expect(majorVersion(output, 'tool')).toBe(major);
});

test.each(['esptool.py v3.3', 'usage: something', ''])('%j is no version that is known', (output) => {
  expect(() => majorVersion(output, 'tool')).toThrow(expect.objectContaining({ code: 'ERR_TOOLS', remedy: expect.stringContaining('pipx install esptool') }));
});

test('a line for a shell keeps each word one word', () => {
  expect(shellLine(['az', "it's", 'a b', '$HOME', 'x-y_z.0/=:,@%+'])).toBe("az 'it'\\''s' 'a b' '$HOME' x-y_z.0/=:,@%+");
});
