/** Error conditions of AMQP 1.0 that the hub closes a connection with. */
export type ConnectionCondition =
  | 'amqp:connection:framing-error'
  | 'amqp:decode-error'
  | 'amqp:frame-size-too-small'
  | 'amqp:not-allowed'
  | 'amqp:not-implemented'
  | 'amqp:resource-limit-exceeded'
  | 'amqp:unauthorized-access'
  | 'amqp:internal-error';

/** What a client did that ends its connection. */
export class ProtocolFault extends Error {
  override readonly name = 'ProtocolFault';
  readonly condition: ConnectionCondition;

  constructor(condition: ConnectionCondition, message: string) {
    super(message);
    this.condition = condition;
  }
}
