import type { Connection, EventContext, Receiver, Sender } from 'rhea';
// rhea itself: this module knows how to import it.
import { createContainer } from '../../../host-sim/hub/amqp/rhea.ts';

/** How a service shows its token. */
export type AmqpLogin = { readonly kind: 'plain'; readonly policy: string; readonly token: string } | { readonly kind: 'claim'; readonly audience: string; readonly token: string } | { readonly kind: 'none' };

/** What a client saw, from first to last. */
export interface AmqpOutcome {
  readonly isOpen: boolean;
  /** In the protocol's words. */
  readonly told: readonly string[];
}

export interface AmqpTrial {
  readonly port: number;
  readonly hubName: string;
  readonly login: AmqpLogin;
  readonly address: string;
  readonly direction: 'send' | 'receive';
}

/** Shows a token and opens one link, with rhea. */
export function tryLink(trial: AmqpTrial): Promise<AmqpOutcome> {
  const { port, hubName, login, address, direction } = trial;
  const told: string[] = [];
  return new Promise((resolve) => {
    const container = createContainer();
    const credentials = login.kind === 'plain' ? { username: `${login.policy}@sas.root.${hubName.split('.')[0]}`, password: login.token } : { username: 'anonymous' };
    const connection: Connection = container.connect({ host: '127.0.0.1', port, hostname: hubName, reconnect: false, ...credentials });
    const end = (isOpen: boolean): void => {
      container.removeAllListeners();
      for (const event of ['error', 'disconnected', 'connection_error']) container.on(event, () => {});
      if (connection.is_open()) connection.close();
      resolve({ isOpen, told });
    };
    const tell = (what: string, error: unknown): void => {
      const { condition = '', description, message = '' } = (error ?? {}) as { readonly condition?: string; readonly description?: string; readonly message?: string };
      told.push(`${what} ${condition} ${description ?? message}`.trim());
    };
    const openLink = (): Sender | Receiver => (direction === 'send' ? connection.open_sender(address) : connection.open_receiver(address));
    const isTheLink = (link: Sender | Receiver | undefined): boolean => link?.source?.address === address || link?.target?.address === address;
    let link: Sender | Receiver | undefined;
    container.on('connection_open', () => {
      if (login.kind !== 'claim') link = openLink();
      else openCbs(connection, login, (status, description) => {
        if (status !== 200) told.push(`cbs ${status} ${description}`);
        link = openLink();
      });
    });
    for (const event of ['sender_open', 'receiver_open']) {
      container.on(event, (context: EventContext) => {
        const opened = context.sender ?? context.receiver;
        // A refusal opens the link without a terminus and closes it at once.
        if (opened === link && isTheLink(opened)) setTimeout(() => opened?.is_open() === true && end(true), 20);
      });
    }
    for (const event of ['sender_error', 'receiver_error']) {
      container.on(event, (context: EventContext) => {
        tell('link', (context.sender ?? context.receiver)?.error);
        end(false);
      });
    }
    container.on('connection_error', (context: EventContext) => {
      tell('connection', context.connection.error ?? context.error);
      end(false);
    });
    container.on('disconnected', (context: EventContext) => {
      tell('disconnected', context.error);
      end(false);
    });
  });
}

function openCbs(connection: Connection, { audience, token }: Extract<AmqpLogin, { kind: 'claim' }>, answered: (status: number, description: string) => void): void {
  const receiver = connection.open_receiver({ source: { address: '$cbs' }, target: { address: 'cbs' } });
  const sender = connection.open_sender('$cbs');
  receiver.on('message', ({ message }: EventContext) => {
    const properties = message?.application_properties ?? {};
    receiver.close();
    sender.close();
    answered(Number(properties['status-code']), String(properties['status-description']));
  });
  sender.once('sendable', () => {
    sender.send({
      message_id: '1', to: '$cbs', reply_to: 'cbs', body: token,
      application_properties: { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: audience },
    });
  });
}
