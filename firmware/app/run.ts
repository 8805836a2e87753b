import * as signer from 'latchkey/signer';
import Timer from 'timer';

import { Agent } from '../agent/agent.ts';
import { parseConfig } from '../agent/config.ts';
import type { Port } from '../agent/port.ts';
import type { InboundMessage } from '../agent/messages/inbound-message.ts';
import { chooseApp } from './samples/choose-app.ts';
import type { ApplicationHost } from './host.ts';
import { useHubKeys } from './hub-keys.ts';
import { openRoots } from './open-roots.ts';
import { saveHub } from './saved-hub.ts';
import type { Settings } from './settings.ts';
import { SimulatedRoom } from './samples/simulated-room.ts';
import { Telemetry } from './samples/telemetry.ts';

/**
 * Runs the sample application that the settings choose: it sends at an interval, and what happens is printed as JSON lines.
 * @returns what stops it
 * @throws ERR_CONFIG, and what `derive` says
 */
export function runApplication(settings: Settings, host: ApplicationHost): () => void {
  const room = new SimulatedRoom(() => host.random());
  const app = chooseApp(settings, (patch) => agent.report(patch), {
    readTemperature: () => room.readTemperature(),
    heatTo: (celsius) => room.heatTo(celsius),
    wallMs: () => port.wallMs(),
    restart: (delayMs) => void Timer.set(() => telemetry.stop(() => host.restart()), delayMs),
  });
  const config = useHubKeys(parseConfig({ ...settings.agent, modelId: app.modelId }, 'settings'), settings.hubKeyNumbers, signer.derive);
  const { dps } = config;
  const port: Port = host.openPort({ wake: () => agent.wake(), roots: (purpose) => roots?.anchors(purpose) ?? settings.roots, roomForTwo: !settings.single });
  const roots = openRoots(settings, config, port);
  const messageReceived = ({ topic, payload, acknowledge }: InboundMessage): void => {
    host.print(JSON.stringify({ event: 'message', topic, byteCount: payload.length }));
    acknowledge();
  };
  const agent: Agent = new Agent({
    config,
    port,
    trust: roots,
    assignments: dps && { save: (hub) => saveHub(dps, hub) },
    parts: app.part === undefined ? [] : [app.part],
    onEvent: ({ type, ...detail }) => host.print(JSON.stringify({ event: type, ...detail })),
    onAcknowledged: () => telemetry.acknowledged(),
    // IoT Hub has none for modules.
    onMessage: config.identity.moduleId === undefined ? messageReceived : undefined,
  });
  const telemetry: Telemetry = new Telemetry(agent, settings, app.source, {
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
