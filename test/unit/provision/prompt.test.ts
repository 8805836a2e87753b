import { expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import type { CliContext } from '../../../host-sim/terminal/cli-context.ts';
import { promptLine } from '../../../host-sim/terminal/prompt.ts';

/** A terminal at which `chunks` are typed, and what its modes were. */
function terminal(interrupted = new AbortController().signal): { context: CliContext; type: (text: string) => void; end: () => void; modes: boolean[]; shown: () => string } {
  const stdin = new PassThrough();
  const stderr = new PassThrough().setEncoding('utf8');
  const modes: boolean[] = [];
  const context: CliContext = {
    stdin: Object.assign(stdin, { isTTY: true, setRawMode: (isRaw: boolean) => modes.push(isRaw) }), stdout: new PassThrough(), stderr, env: {}, interrupted, exitCode: 0,
  };
  return { context, type: (text) => void stdin.write(text), end: () => void stdin.end(), modes, shown: () => String(stderr.read() ?? '') };
}

test.each([
  [['secret\n'], 'secret'], [['secret\r'], 'secret'], [['sec', 'ret', '\r'], 'secret'], [['secrex\u007ft\r'], 'secret'], [['\u0008\u007fa\r'], 'a'], [['pässe\u007f\r'], 'päss'], [['\r'], ''],
])('%j is read unseen as %j, and the terminal is as before', async (chunks, line) => {
  const { context, type, modes, shown } = terminal();
  const answer = promptLine(context, 'password: ', { hidden: true });
  for (const chunk of chunks) type(chunk);
  await expect(answer).resolves.toBe(line);
  expect(modes).toEqual([true, false]);
  expect(shown()).toBe('password: \n');
});

test('two questions are answered by two lines that came at once', async () => {
  const { context, type } = terminal();
  type('first\nsecond\n');
  expect([await promptLine(context, '1 '), await promptLine(context, '2 ')]).toEqual(['first', 'second']);
});

test('Ctrl-C, the end of input and an interruption are no answer: each gives the terminal back', async () => {
  const first = terminal();
  first.type('abc\u0003');
  await expect(promptLine(first.context, '', { hidden: true })).rejects.toMatchObject({ code: 'ERR_CONFIRMATION', exitCode: 130 });
  const second = terminal();
  second.type('abc');
  second.end();
  await expect(promptLine(second.context, '', { hidden: true })).resolves.toBeUndefined();
  const controller = new AbortController();
  const third = terminal(controller.signal);
  const answer = promptLine(third.context, '', { hidden: true });
  controller.abort();
  await expect(answer).resolves.toBeUndefined();
  for (const { modes } of [first, second, third]) expect(modes).toEqual([true, false]);
});
