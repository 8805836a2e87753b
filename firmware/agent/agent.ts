import { agentStateOf, type AgentState } from './agent-state.ts';
import { Application, type ApplicationCallbacks } from './application.ts';
import type { ClockLevel } from './clock/clock-state.ts';
import { Monotonic } from './clock/monotonic.ts';
import type { AgentConfig } from './config.ts';
import { Connector } from './connector.ts';
import type { AssignmentStore } from './provisioning/assignment-store.ts';
import type { Conversation } from './conversation.ts';
import { LatchkeyError } from './errors.ts';
import { encodeMessage, topicOf } from './messages/encode-message.ts';
import type { Port } from './port.ts';
import type { MessageProperties } from './properties.ts';
import type { Sender } from './messages/sender.ts';
import { telemetryTopic } from './topics.ts';
import type { TrustKeeper } from './trust.ts';

export interface AgentOptions extends ApplicationCallbacks {
  /** @see parseConfig */
  readonly config: AgentConfig;
  readonly port: Port;
  /** Keeps the trust anchors (`RootKeeper`); without it those of the port are as they are. */
  readonly trust?: TrustKeeper | undefined;
  /** Keeps the hub that the provisioning service assigned, for the next start. */
  readonly assignments?: AssignmentStore | undefined;
}

/** A message for `sendBatch`. */
export interface Message {
  readonly payload: Uint8Array | string;
  readonly properties?: MessageProperties | undefined;
}

/**
 * An IoT Hub device or module: connects, renews its token before it ends, sends telemetry that survives both, keeps up with its
 * twin, and answers methods and messages. Everything happens in callbacks of the port; nothing throws out of them.
 */
export class Agent {
  readonly #port: Port;
  readonly #connector: Connector;
  readonly #conversation: Conversation;
  readonly #sender: Sender;
  readonly #topicPrefix: string;

  /** @throws ERR_CONFIG for `onMessage` in a module: IoT Hub has no messages from the cloud for modules */
  constructor(options: AgentOptions) {
    const { config, port } = options;
    if (config.identity.moduleId !== undefined && options.onMessage !== undefined) {
      throw new LatchkeyError('ERR_CONFIG', 'onMessage: IoT Hub sends messages to devices, not to modules; use a direct method or a desired property');
    }
    this.#port = port;
    const { trust, assignments, parts = [] } = options;
    const application = new Application(trust === undefined ? options : { ...options, parts: [trust, ...parts] });
    this.#connector = new Connector(config, port, application, new Monotonic(() => port.ticks()), { trust, assignments });
    this.#conversation = this.#connector.conversation;
    this.#sender = this.#conversation.sender;
    this.#topicPrefix = telemetryTopic(config.identity);
  }

  /** Messages that `send` accepted and that are not acknowledged. */
  get pending(): number {
    return this.#sender.outbox.size;
  }

  /** Whether the hub has confirmed everything that `report` took. */
  get isReported(): boolean {
    return !this.#conversation.hasReports;
  }

  get isConnected(): boolean {
    return this.#connector.isConnected;
  }

  /** What the agent is doing now, and why. */
  get state(): AgentState {
    return this.#connector.isRegistering ? { status: 'registering' } : agentStateOf(this.#connector.state, this.nowMs());
  }

  get clockLevel(): ClockLevel {
    return this.#connector.clockLevel;
  }

  start(): void {
    this.#connector.start();
  }

  /** Closes every connection with DISCONNECT. What is not acknowledged stays queued for the next `start`. */
  stop(): void {
    this.#connector.stop();
  }

  /**
   * Queues one message of telemetry (`sendEvent` in Microsoft's SDKs); `false` when the queue is full: try again at `onWritable`.
   * @param payload text is sent as UTF-8; bytes are kept as they are until acknowledged, do not change them
   * @param qos 1: sent until the hub acknowledges it, possibly twice; 0: sent once
   * @throws ERR_MESSAGE_SIZE above 256 KB, or 64 KB of properties; ERR_PROPERTY for a name that cannot travel
   */
  send(payload: Uint8Array | string, properties?: MessageProperties, qos: 0 | 1 = 1): boolean {
    if (!this.#sender.hasRoom()) return false;
    const topic = topicOf(this.#topicPrefix, properties);
    this.#sender.outbox.push(topic, encodeMessage(this.#port.text, payload, topic), qos);
    this.#conversation.pump();
    return true;
  }

  /**
   * Queues several messages, each a PUBLISH of its own: one body with many messages is for HTTPS and AMQP only, and Microsoft's Node SDK
   * refuses `sendEventBatch` over MQTT. All are checked before the first is queued.
   * @returns how many there was room for; give the rest again at `onWritable`
   * @throws as `send`
   */
  sendBatch(messages: readonly Message[], qos: 0 | 1 = 1): number {
    const encoded = messages.map(({ payload, properties }) => {
      const topic = topicOf(this.#topicPrefix, properties);
      return { topic, bytes: encodeMessage(this.#port.text, payload, topic) };
    });
    const accepted = encoded.findIndex(({ topic, bytes }) => !(this.#sender.hasRoom() && this.#sender.outbox.push(topic, bytes, qos)));
    this.#conversation.pump();
    return accepted < 0 ? messages.length : accepted;
  }

  /**
   * Changes reported properties of the twin. Members of `patch` replace those that the twin has, `null` removes one, objects are merged.
   * What is reported before the hub has confirmed is sent as one; it survives connections, but no restart. `reported` and `twin-refused`
   * say how it ended.
   * @returns `false` when too much waits that cannot be merged: try again at the event `reported`
   * @throws ERR_REPORTED for what IoT Hub would refuse: above 32 KB, a text above 4 KB, more than 10 levels, a name with `$`, `.`, `#` or a space
   */
  report(patch: Readonly<Record<string, unknown>>): boolean {
    return this.#conversation.report(patch);
  }

  /**
   * The next ready-made token; a renewal with it starts at once.
   * @throws TypeError when the agent signs its own
   */
  useToken(token: string): void {
    this.#connector.tokens.useReadyMade(token);
    this.#connector.tokenSupplied();
  }

  /** The port's timer. */
  wake(): void {
    this.#connector.wake();
  }

  /** Monotonic. */
  nowMs(): number {
    return this.#connector.nowMs();
  }
}
