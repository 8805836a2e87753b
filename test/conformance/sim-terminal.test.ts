import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Client, Message } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { runCommandLine } from '../fakes/cli-run.ts';

/** Sends one message as the user's own program would, by the connection string of the banner. */
async function sendOne(connectionString: string): Promise<void> {
  const client = Client.fromConnectionString(connectionString, Mqtt);
  await client.setOptions({ ca: readFileSync(projectPath('.build/pki-real/root.pem'), 'utf8') });
  await client.open();
  await client.sendEvent(new Message('hello'));
  await client.close();
}

test('on a terminal the banner has a connection string with which Microsoft\'s client sends, and its doings are shown', async () => {
  const interruption = new AbortController();
  let sending: Promise<void> | undefined;
  let banner = '';
  const { exitCode, stdout, stderr } = await runCommandLine(['sim', '--port', '0', '--token-ttl', '60s'], {
    isTerminal: true,
    env: { NO_COLOR: '1' },
    interrupted: interruption.signal,
    onTalk: (text) => (banner += text),
    onOutput(text) {
      if (sending !== undefined || !text.includes('connected, token for')) return;
      const connectionString = /HostName=\S+;GatewayHostName=localhost:\d+/.exec(banner)?.[0] ?? '';
      sending = sendOne(connectionString).finally(() => interruption.abort());
    },
  });
  await sending;
  expect(exitCode).toBe(130);
  expect(stdout).toMatch(/hub +try-me connected with its primary key, token until \S+Z/);
  expect(stdout).toContain('try-me sent');
  expect(stdout).toMatch(/sent (\d+), acknowledged \1, received \1, lost 0, duplicated 0/);
  expect(stderr).toContain('DeviceId=try-me');
  expect(stdout + stderr).not.toContain('\u001b');
});

test('colours are for terminals: shown there, not shown with NO_COLOR, TERM=dumb or in a pipe', async () => {
  const run = (isTerminal: boolean, env: Readonly<Record<string, string>>) => runCommandLine(['sim', '--virtual-time', '--duration', '5s'], { isTerminal, env });
  expect((await run(true, {})).stdout).toContain('\u001b[32m');
  for (const [isTerminal, env] of [[true, { NO_COLOR: '0' }], [true, { TERM: 'dumb' }], [false, {}]] as const) {
    const { stdout, stderr } = await run(isTerminal, env);
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stderr).not.toContain('SharedAccessKey');
  }
  expect((await run(true, { NO_COLOR: '' })).stdout).toContain('\u001b[32m');
});
