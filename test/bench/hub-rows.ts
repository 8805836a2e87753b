import { startBrokers, type Broker } from './brokers.ts';
import { BUDGETS } from './budgets.ts';
import { LoadClient } from './load-client.ts';
import type { Row } from './row.ts';

export interface HubLoad {
  /** Over all clients and rounds, at each broker. */
  readonly messages: number;
  readonly connects: number;
  readonly idleConnections: number;
}

const CLIENTS = 4;
const WINDOW = 64;
/** Brokers take turns, so that what else the machine does meets all of them. */
const ROUNDS = 5;
/** CONNECTs under way at a time. */
const PARALLEL_CONNECTS = 8;
/** A broker is run in before it is looked at. */
const WARM_UP_CONNECTS = 20;
const WARM_UP_MESSAGES = 20_000;
const CLOSE_LIMIT_MS = 10_000;
const TIDY_TIMES = 4;
const TIDY_PAUSE_MS = 300;
const PERCENT = 100;

/** One broker in one round. */
interface Figure {
  readonly perSecond: number;
  /** Processor time of the broker for one of them. */
  readonly cpuMicroseconds: number;
}

type Figures = Readonly<Record<Broker['name'], readonly Figure[]>>;

/** Speed and memory of the hub simulator beside two brokers, under the same load in the same run, in real time. */
export async function measureHub(load: HubLoad): Promise<readonly Row[]> {
  const brokers = await startBrokers(Math.max(load.connects, load.idleConnections, CLIENTS));
  try {
    for (const broker of brokers) {
      closeAll(await openMany(broker, WARM_UP_CONNECTS));
      await sendMessages(broker, WARM_UP_MESSAGES);
    }
    const messages = await inTurns(brokers, (broker) => sendMessages(broker, load.messages / ROUNDS));
    const connects = await inTurns(brokers, (broker) => connect(broker, load.connects / ROUNDS));
    const idle: Record<string, number> = {};
    for (const broker of brokers) idle[broker.name] = await measureIdle(broker, load.idleConnections);
    return [
      speed('hub-messages', 'QoS 1 messages over TLS', messages, `${load.messages} messages of ${CLIENTS} clients, ${WINDOW} in flight each, nobody subscribed`),
      {
        row: 'hub-messages-of-aedes', what: 'hub simulator: messages a second, of what aedes does', unit: 'percent', measured: percentOf(messages, 'aedes'),
        budget: { least: BUDGETS.messagesOfAedesPercent }, note: 'median of the rounds; the hub authorizes and stamps each message',
      },
      speed('hub-connects', 'connects over TLS', connects, `${load.connects} full handshakes with CONNECT and CONNACK, ${PARALLEL_CONNECTS} at a time`),
      {
        row: 'hub-idle-memory', what: 'hub simulator: memory of an idle connection', unit: 'bytes', measured: Math.round(idle.hub!),
        note: `resident memory of ${load.idleConnections} connections, TLS included; aedes ${format(idle.aedes!)}, mosquitto ${format(idle.mosquitto!)}`,
      },
    ];
  } finally {
    await Promise.all(brokers.map((broker) => broker.close()));
  }
}

function speed(row: string, what: string, figures: Figures, note: string): Row {
  const of = (name: Broker['name']): string => `${format(median(figures[name], 'perSecond'))}/s (${format(median(figures[name], 'cpuMicroseconds'))} µs of processor each)`;
  return {
    row, what: `hub simulator: ${what}`, unit: 'per second', measured: Math.round(median(figures.hub, 'perSecond')),
    note: `${note}; hub ${of('hub')}, aedes ${of('aedes')}, mosquitto ${of('mosquitto')}`,
  };
}

const format = (figure: number): string => Math.round(figure).toLocaleString('en');

function median(figures: readonly Figure[], member: keyof Figure): number {
  return medianOf(figures.map((figure) => figure[member]));
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}

/** Round by round, as rounds of different moments have different machines. */
function percentOf(figures: Figures, name: Broker['name']): number {
  return Math.round(medianOf(figures.hub.map(({ perSecond }, round) => (perSecond / figures[name][round]!.perSecond) * PERCENT)));
}

async function inTurns(brokers: readonly Broker[], work: (broker: Broker) => Promise<number>): Promise<Figures> {
  const figures: Record<Broker['name'], Figure[]> = { hub: [], aedes: [], mosquitto: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const broker of brokers) {
      await broker.tidy();
      const cpuBeforeMs = broker.meter.cpuMs();
      const startMs = performance.now();
      const count = await work(broker);
      const seconds = (performance.now() - startMs) / 1000;
      figures[broker.name].push({ perSecond: count / seconds, cpuMicroseconds: ((broker.meter.cpuMs() - cpuBeforeMs) * 1000) / count });
    }
  }
  return figures;
}

async function sendMessages(broker: Broker, messages: number): Promise<number> {
  const clients = await openMany(broker, CLIENTS);
  const each = Math.floor(messages / CLIENTS);
  await Promise.all(clients.map((client) => client.publish(each, WINDOW)));
  closeAll(clients);
  return each * CLIENTS;
}

async function connect(broker: Broker, connects: number): Promise<number> {
  closeAll(await openMany(broker, connects));
  return connects;
}

async function measureIdle(broker: Broker, connections: number): Promise<number> {
  const filesBefore = await waitForQuiet(broker);
  await tidyWell(broker);
  const before = broker.meter.residentBytes();
  const clients = await openMany(broker, connections);
  await tidyWell(broker);
  const growth = broker.meter.residentBytes() - before;
  const connected = broker.meter.openFiles() - filesBefore;
  if (connected < connections) throw new Error(`${connected} of ${connections} clients are connected to ${broker.name}`);
  closeAll(clients);
  return growth / connections;
}

/** Pages go back to the system a while after they were freed. */
async function tidyWell(broker: Broker): Promise<void> {
  for (let time = 0; time < TIDY_TIMES; time++) {
    await broker.tidy();
    await new Promise((resolve) => setTimeout(resolve, TIDY_PAUSE_MS));
  }
}

/** @returns the files that it has open without a client */
async function waitForQuiet(broker: Broker): Promise<number> {
  const limitMs = performance.now() + CLOSE_LIMIT_MS;
  for (let last = Infinity; ; ) {
    const files = broker.meter.openFiles();
    if (files === last) return files;
    if (performance.now() > limitMs) throw new Error(`${broker.name} keeps connections that are closed`);
    last = files;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function openMany(broker: Broker, count: number): Promise<LoadClient[]> {
  const clients: LoadClient[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) clients.push(await LoadClient.connect(broker.target(next++)));
  };
  await Promise.all(Array.from({ length: PARALLEL_CONNECTS }, work));
  return clients;
}

function closeAll(clients: readonly LoadClient[]): void {
  for (const client of clients) client.close();
}
