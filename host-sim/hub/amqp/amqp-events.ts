/** Why an AMQP connection ended. */
export type AmqpCloseReason =
  | 'client-closed'
  | 'connection-lost'
  | 'malformed'
  | 'authenticate-timeout'
  | 'idle'
  | 'refused'
  | 'token-expired'
  | 'client-does-not-read'
  | 'hub-closed';

interface OfAmqp {
  /** Numbered from 1 in the order of `amqpOpened`, apart from the connections of MQTT. */
  readonly connection: number;
}

/** What happened at the hub's AMQP endpoint; no event holds a key, a token or a signature. */
export type AmqpEvent =
  | ({ readonly event: 'amqpOpened'; readonly peer: string } & OfAmqp)
  /** A token was accepted. */
  | ({ readonly event: 'amqpAuthorized'; readonly audience: string; readonly policy: string; readonly key: 'primary' | 'secondary'; readonly expirySeconds: number; readonly token: string } & OfAmqp)
  /** A token, a link or a user name was refused; the client is told less. */
  | ({ readonly event: 'amqpRefused'; readonly address: string; readonly reason: string; readonly code: number; readonly detail: string } & OfAmqp)
  | ({ readonly event: 'amqpLinkOpened' | 'amqpLinkClosed'; readonly address: string } & OfAmqp)
  | ({ readonly event: 'amqpClosed'; readonly reason: AmqpCloseReason; readonly detail?: string } & OfAmqp);
