/** The unmodified azure-iot-device in a process of its own: the other side of agent-client.ts. One JSON argument, one JSON line at the end. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// CommonJS whose names Node does not see in an import.
const require = createRequire(import.meta.url);
const { Client, Message, SharedAccessKeyAuthenticationProvider } = require('azure-iot-device') as typeof import('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt') as typeof import('azure-iot-device-mqtt');

/** Passed as the only argument; the connection string comes on stdin. */
export interface SdkTask {
  readonly caFile: string;
  readonly tokenLifeSeconds: number;
  /** The SDK renews so long before the end of a token. */
  readonly renewalMarginSeconds: number;
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly payloadBytes: number;
}

/** A late timer catches up with at most this many messages at once, as the agent's application does. */
const MAX_CATCH_UP = 16;
const LAST_ACKNOWLEDGEMENTS_MS = 5000;

/** @returns when all is acknowledged, or after a while */
export async function runSdk(task: SdkTask): Promise<void> {
  const provider = SharedAccessKeyAuthenticationProvider.fromConnectionString(
    readFileSync(0, 'utf8').trim(),
    task.tokenLifeSeconds,
    task.renewalMarginSeconds,
  );
  const client = Client.fromAuthenticationProvider(provider, Mqtt);
  await client.setOptions({ ca: readFileSync(task.caFile, 'utf8') });
  client.on('error', () => {});
  client.on('disconnect', () => {});
  await client.open();
  const counts = { sent: 0, acked: 0 };
  const stopped = new AbortController();
  process.once('SIGTERM', () => stopped.abort());
  await send(client, task, counts, stopped.signal);
  const limitMs = Date.now() + LAST_ACKNOWLEDGEMENTS_MS;
  while (counts.acked < counts.sent && Date.now() < limitMs) await sleep(20);
  process.stdout.write(`${JSON.stringify(counts)}\n`);
  // A client that is offline may take minutes to close.
  await Promise.race([client.close(), sleep(1000)]);
}

function send(client: InstanceType<typeof Client>, { intervalMs, durationMs, payloadBytes }: SdkTask, counts: { sent: number; acked: number }, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    let attempts = 0;
    const sendOne = (): void => {
      attempts++;
      const message = new Message(`{"n":${counts.sent + 1}}`.padEnd(payloadBytes));
      message.messageId = String(counts.sent + 1);
      counts.sent++;
      client.sendEvent(message, (error) => {
        if (error === undefined || error === null) counts.acked++;
      });
    };
    const tick = (): void => {
      const elapsedMs = performance.now() - startMs;
      if (stop.aborted || elapsedMs >= durationMs) return resolve();
      const due = Math.floor(elapsedMs / intervalMs) + 1;
      attempts = Math.max(attempts, due - MAX_CATCH_UP);
      while (attempts < due) sendOne();
      setTimeout(tick, Math.max(1, startMs + attempts * intervalMs - performance.now()));
    };
    tick();
  });
}

function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
