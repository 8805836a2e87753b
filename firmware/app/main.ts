import board from 'latchkey/board';
import Tls from 'latchkey/tls';
import Timer from 'timer';

import { Agent } from '../agent/agent.ts';
import type { InboundMessage } from '../agent/messages/inbound-message.ts';
import { parseConfig } from '../agent/config.ts';
import { LatchkeyError } from '../agent/errors.ts';
import { BoardPort } from '../ports/board/port.ts';
import { readSettings } from './settings.ts';
import { Telemetry } from './telemetry.ts';

const EXIT_CONFIG = 3;

/** The sample application: sends numbered messages at an interval, and says what happens as JSON lines. */
function main(): void {
  // A build that does not refuse an expired chain or a wrong host must not connect at all.
  Tls.selfTest();
  const settings = readSettings();
  const config = parseConfig(settings.agent, 'settings');
  const port = new BoardPort({ wake: () => agent.wake(), roots: settings.roots, roomForTwo: !settings.single });
  const agent: Agent = new Agent({
    config,
    port,
    onEvent: ({ type, ...detail }) => board.print(JSON.stringify({ event: type, ...detail })),
    onAcknowledged: () => telemetry.acknowledged(),
    // IoT Hub has none for modules.
    onMessage: config.identity.moduleId === undefined ? messageReceived : undefined,
  });
  const telemetry: Telemetry = new Telemetry(agent, settings, {
    nowMs: () => agent.nowMs(),
    random: () => board.random(),
    after: (delayMs, callback) => Timer.set(callback, delayMs),
    print: (line) => board.print(line),
    exit: (code) => board.exit(code),
  });
  board.onStop = () => telemetry.stop();
  agent.start();
  telemetry.start();
}

function messageReceived({ topic, payload, acknowledge }: InboundMessage): void {
  board.print(JSON.stringify({ event: 'message', topic, byteCount: payload.length }));
  acknowledge();
}

try {
  main();
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_START';
  board.print(JSON.stringify({ event: 'error', code, message: error instanceof Error ? error.message : String(error) }));
  board.exit(error instanceof LatchkeyError ? EXIT_CONFIG : 1);
}
