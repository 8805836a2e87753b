import { Agent, type AgentOptions } from '../../firmware/agent/agent.ts';
import type { ApplicationCallbacks, InboundMessage } from '../../firmware/agent/application.ts';
import { parseConfig } from '../../firmware/agent/config.ts';
import type { AgentEvent } from '../../firmware/agent/events.ts';
import { FakeNetwork } from './fake-network.ts';
import { FakePort } from './fake-port.ts';
import { FakeTime } from './fake-time.ts';
import { ScriptedHub } from './scripted-hub.ts';

export const HUB_ADDRESS = '10.0.0.1';
const HUB_NAME = 'hub.test';
const HUB_PORT = 8883;

export interface BenchOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly delayMs?: number;
  /** Without it cloud-to-device messages are not subscribed to. */
  readonly onMessage?: (message: InboundMessage) => void;
  readonly onAcknowledged?: () => void;
  readonly onWritable?: () => void;
  readonly onEvent?: (event: AgentEvent) => void;
  /** What else the application wants to hear. */
  readonly application?: Omit<ApplicationCallbacks, 'onEvent' | 'onAcknowledged' | 'onWritable' | 'onMessage'>;
}

/** An agent, a hub and a network between them, over one fake time. */
export class AgentBench {
  readonly time = new FakeTime();
  readonly network = new FakeNetwork(this.time);
  readonly hub: ScriptedHub;
  readonly port: FakePort;
  readonly agent: Agent;
  readonly events: AgentEvent[] = [];
  acknowledged = 0;
  sent = 0;
  /** `send` said that the queue was full. */
  refused = 0;

  constructor(options: BenchOptions = {}) {
    this.network.delayMs = options.delayMs ?? 10;
    this.network.name(HUB_NAME, HUB_ADDRESS);
    this.hub = new ScriptedHub(this.time, this.network, HUB_ADDRESS, HUB_PORT);
    this.port = new FakePort(this.time, this.network, options.seed ?? 1);
    const agentOptions: AgentOptions = {
      config: parseConfig({ hub: HUB_NAME, deviceId: 'dev1', ...options.config }, 'bench'),
      port: this.port,
      onEvent: (event) => {
        this.events.push(event);
        options.onEvent?.(event);
      },
      onAcknowledged: () => {
        this.acknowledged += 1;
        options.onAcknowledged?.();
      },
      onWritable: options.onWritable,
      onMessage: options.onMessage,
      ...options.application,
    };
    this.agent = new Agent(agentOptions);
    this.port.wake = () => this.agent.wake();
  }

  /** Starts, and runs until the hub has accepted. */
  connect(): this {
    this.agent.start();
    if (!this.time.runUntil(() => this.agent.isConnected, 60_000)) throw new Error(`not connected: ${JSON.stringify(this.events)}`);
    return this;
  }

  /** One message, numbered; the text is what the hub's `received` holds. */
  send(qos: 0 | 1 = 1): boolean {
    const accepted = this.agent.send(String(this.sent + 1), undefined, qos);
    if (accepted) this.sent += 1;
    else this.refused += 1;
    return accepted;
  }

  /** A message every `intervalMs` from now on; the result stops it. */
  sendEvery(intervalMs: number): () => void {
    let cancel = (): void => {};
    const tick = (): void => {
      cancel = this.time.after(intervalMs, tick);
      this.send();
    };
    tick();
    return () => cancel();
  }

  /** Runs until nothing waits for its acknowledgement. */
  drain(limitMs = 60_000): boolean {
    return this.time.runUntil(() => this.agent.pending === 0, limitMs);
  }

  /** Numbers of messages that the hub never had, and of those that it had more than once. */
  account(): { readonly lost: number[]; readonly duplicated: number[] } {
    const counts = new Map<string, number>();
    for (const text of this.hub.received) counts.set(text, (counts.get(text) ?? 0) + 1);
    const numbers = Array.from({ length: this.sent }, (_, i) => i + 1);
    return {
      lost: numbers.filter((number) => !counts.has(String(number))),
      duplicated: numbers.filter((number) => (counts.get(String(number)) ?? 0) > 1),
    };
  }

  eventsOf<T extends AgentEvent['type']>(type: T): Extract<AgentEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
  }
}
