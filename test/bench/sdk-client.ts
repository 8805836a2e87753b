import { outputOf, startModule } from '../module-process.ts';
import { PAYLOAD_BYTES, type ClientCounts, type ClientTask, type RunningClient } from './client.ts';
import type { SdkTask } from './sdk-process.ts';

/** The SDK renews at a fixed time before the end; the middle of where the agent does (65 to 80 % of the life) is this part. */
const RENEWAL_MARGIN_PART = 0.275;

/** The Node SDK through the same link, in a process of its own as the agent is. */
export function startSdk({ world, device, tokenLifeSeconds, intervalMs, durationMs }: ClientTask): RunningClient {
  const task: SdkTask = {
    caFile: world.pki.rootFile,
    tokenLifeSeconds,
    renewalMarginSeconds: tokenLifeSeconds * RENEWAL_MARGIN_PART,
    intervalMs,
    durationMs,
    payloadBytes: PAYLOAD_BYTES,
  };
  const child = startModule({ module: 'test/bench/sdk-process.ts', name: 'runSdk', argument: task });
  const { deviceId, keyBase64 } = device;
  child.stdin?.end(`HostName=${world.hubName};DeviceId=${deviceId};SharedAccessKey=${keyBase64};GatewayHostName=localhost:${world.proxy.port}\n`);
  return {
    ended: outputOf(child, 'the Node SDK').then((output) => JSON.parse(output) as ClientCounts),
    stop: () => void child.kill('SIGTERM'),
  };
}
