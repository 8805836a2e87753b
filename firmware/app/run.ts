import * as signer from 'latchkey/signer';
import Timer from 'timer';

import { Agent } from '../agent/agent.ts';
import { parseConfig } from '../agent/config.ts';
import type { InboundMessage } from '../agent/messages/inbound-message.ts';
import type { ApplicationHost } from './host.ts';
import { useHubKeys } from './hub-keys.ts';
import type { Settings } from './settings.ts';
import { Telemetry } from './telemetry.ts';

/**
 * The sample application: sends numbered messages at an interval, and says what happens as JSON lines.
 * @returns what stops it
 * @throws ERR_CONFIG, and what `derive` says
 */
export function runApplication(settings: Settings, host: ApplicationHost): () => void {
  const config = useHubKeys(parseConfig(settings.agent, 'settings'), settings.hubKeyNumbers, signer.derive);
  const port = host.openPort({ wake: () => agent.wake(), roots: settings.roots, roomForTwo: !settings.single });
  const agent: Agent = new Agent({
    config,
    port,
    onEvent: ({ type, ...detail }) => host.print(JSON.stringify({ event: type, ...detail })),
    onAcknowledged: () => telemetry.acknowledged(),
    // IoT Hub has none for modules.
    onMessage: config.identity.moduleId === undefined ? messageReceived : undefined,
  });
  function messageReceived({ topic, payload, acknowledge }: InboundMessage): void {
    host.print(JSON.stringify({ event: 'message', topic, byteCount: payload.length }));
    acknowledge();
  }
  const telemetry: Telemetry = new Telemetry(agent, settings, {
    nowMs: () => agent.nowMs(),
    random: () => host.random(),
    after: (delayMs, callback) => Timer.set(callback, delayMs),
    print: (line) => host.print(line),
    exit: (code) => host.exit(code),
  });
  agent.start();
  telemetry.start();
  return () => telemetry.stop();
}
