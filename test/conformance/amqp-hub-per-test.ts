import { afterEach } from '@jest/globals';
import { openLocalAmqp, type LocalAmqp } from './local-amqp.ts';

/** A hub for each test of a file; the clients that a test asked for are closed before its hub. */
export interface AmqpHubPerTest<Client> {
  open(): Promise<LocalAmqp>;
  clientOf(hub: LocalAmqp, policy?: string, key?: string): Client;
}

export function amqpHubPerTest<Client extends { close(): Promise<unknown> }>(connect: (hub: LocalAmqp, policy: string, key?: string) => Client): AmqpHubPerTest<Client> {
  const clients: Client[] = [];
  let local: LocalAmqp | undefined;
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close().catch(() => {});
    await local?.close();
    local = undefined;
  });
  return {
    open: async () => (local = await openLocalAmqp()),
    clientOf: (hub, policy = 'service', key) => {
      const client = connect(hub, policy, key);
      clients.push(client);
      return client;
    },
  };
}
