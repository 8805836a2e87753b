import { createRequire } from 'node:module';
import type { AmqpError, Connection, Container, EventContext, Message, Receiver, Sender } from 'rhea';

/** rhea exports an object made at run time: no name of it can be imported by an ES module. */
const rhea = createRequire(import.meta.url)('rhea') as Pick<Container, 'create_container' | 'types'>;

export const { types } = rhea;

/** Where a client connects to, and what it checks there. */
export interface AmqpPlace {
  /** What the certificate must carry and AMQP's `open` names. */
  readonly hostName: string;
  /** Where TCP goes. Default: the host name. */
  readonly address?: string;
  readonly port: number;
  /** Roots to trust, PEM. Default: Node's. */
  readonly ca?: string;
}

export type AmqpClientErrorCode = 'ERR_AMQP_CONNECT' | 'ERR_AMQP_REFUSED' | 'ERR_AMQP_TIMEOUT';

/** Why a service could not be spoken with; never holds a token. */
export class AmqpClientError extends Error {
  override readonly name = 'AmqpClientError';
  readonly code: AmqpClientErrorCode;
  readonly remedy: string;
  /** AMQP's condition, such as `amqp:unauthorized-access`. */
  readonly condition: string | undefined;

  constructor(code: AmqpClientErrorCode, message: string, remedy: string, condition?: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.condition = condition;
  }
}

const ANSWER_TIMEOUT_MS = 20_000;
const CBS = '$cbs';
const SAS_TOKEN = 'servicebus.windows.net:sastoken';
const CHECK_POLICY = 'check the policy: its name, its key, and that it has ServiceConnect';

/** A connection to a service that takes claims, as promises where it answers once. */
export class AmqpClient {
  readonly connection: Connection;
  readonly #replyName = `latchkey-${process.pid}-${Math.trunc(performance.now())}`;
  #requests = 0;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /** @param login SASL PLAIN; without it tokens follow as claims  @throws AmqpClientError */
  static open(place: AmqpPlace, login: { readonly userName: string; readonly password: string } | undefined, onEnd: (error: AmqpClientError | undefined) => void): Promise<AmqpClient> {
    const container = rhea.create_container({ reconnect: false });
    container.on('error', () => {});
    const options = {
      transport: 'tls', host: place.address ?? place.hostName, port: place.port, servername: place.hostName, hostname: place.hostName, reconnect: false,
      receiver_options: { autoaccept: true },
      ...(login === undefined ? { username: 'anonymous' } : { username: login.userName, password: login.password }),
      ...(place.ca === undefined ? {} : { ca: place.ca }),
    } as unknown as Parameters<Container['connect']>[0];
    return new Promise((resolve, reject) => {
      const connection = container.connect(options);
      let isOpen = false;
      const ended = (error: AmqpClientError | undefined): void => {
        if (!isOpen) reject(error ?? new AmqpClientError('ERR_AMQP_CONNECT', `${place.hostName} closed the connection`, 'try again'));
        else onEnd(error);
      };
      connection.on('connection_open', () => {
        isOpen = true;
        resolve(new AmqpClient(connection));
      });
      connection.on('connection_error', ({ error }: EventContext) => ended(toError(error, place.hostName)));
      connection.on('connection_close', () => {});
      connection.on('disconnected', ({ error }: EventContext) => ended(error === undefined ? undefined : toError(error, place.hostName)));
      for (const name of ['session_error', 'sender_error', 'receiver_error', 'protocol_error', 'error']) connection.on(name, () => {});
    });
  }

  /** Shows a token. @throws AmqpClientError when it is refused */
  async putToken(audience: string, token: string): Promise<void> {
    const answer = await this.request(CBS, { to: CBS, application_properties: { operation: 'put-token', type: SAS_TOKEN, name: audience }, body: token });
    const status: unknown = answer.application_properties?.['status-code'];
    if (status !== 200 && status !== 202) throw new AmqpClientError('ERR_AMQP_REFUSED', `the token for ${audience} was refused`, CHECK_POLICY, 'amqp:unauthorized-access');
  }

  /** Sends one request to a node that answers on a link of its own, and waits for the answer. */
  request(node: string, request: Message): Promise<Message> {
    this.#requests += 1;
    const messageId = String(this.#requests);
    const replyTo = `${this.#replyName}-${messageId}`;
    const session = this.connection.create_session();
    session.begin();
    const receiver = session.attach_receiver({ source: { address: node }, target: { address: replyTo }, name: replyTo }) as Receiver;
    const sender = session.attach_sender({ target: { address: node } }) as Sender;
    return new Promise<Message>((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new AmqpClientError('ERR_AMQP_TIMEOUT', `${node} did not answer`, 'try again'))), ANSWER_TIMEOUT_MS);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        session.close();
        settle();
      };
      const failed = (error: AmqpError | Error | undefined): void => finish(() => reject(toError(error, node)));
      sender.once('sendable', () => void sender.send({ ...request, message_id: messageId, reply_to: replyTo }));
      receiver.once('message', ({ message }: EventContext) => finish(() => resolve(message as Message)));
      sender.on('sender_error', () => failed(sender.error));
      receiver.on('receiver_error', () => failed(receiver.error));
    });
  }

  close(): void {
    this.connection.close();
  }
}

/** What AMQP or the network says, for people. */
export function toError(error: unknown, where: string): AmqpClientError {
  const { condition, description, code, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof condition === 'string') {
    const isRefusal = condition === 'amqp:unauthorized-access';
    return new AmqpClientError('ERR_AMQP_REFUSED', `${where} refused: ${typeof description === 'string' ? description : condition}`, isRefusal ? CHECK_POLICY : 'see the condition in the documentation of IoT Hub', condition);
  }
  const detail = typeof message === 'string' ? message : typeof code === 'string' ? code : 'the connection was lost';
  return new AmqpClientError('ERR_AMQP_CONNECT', `cannot speak AMQP with ${where}: ${detail}`, 'check host name, port 5671, and the roots that are trusted');
}
