import type { Delivery, Message, Receiver } from 'rhea';
import { MAX_ADDRESS_CHARACTERS } from './limits.ts';
import type { AmqpNode, InboundNode, LinkHost, OutboundNode } from './link-node.ts';
import { bodyOf, propertiesOf, textOf } from './message-fields.ts';

export const CBS_ADDRESS = '$cbs';

const SAS_TOKEN = 'servicebus.windows.net:sastoken';

/**
 * Takes tokens, as claims-based security has it: requests on the one link, answers on the other.
 * @see http://docs.oasis-open.org/amqp/amqp-cbs/v1.0/amqp-cbs-v1.0.html
 */
export const cbsNode: AmqpNode = {
  resources: [],
  openInbound: (receiver, host) => new CbsRequests(receiver, host),
  openOutbound: () => REPLY_LINK,
};

/** A link that carries nothing but answers. */
export const REPLY_LINK: OutboundNode = { pump: () => {}, settled: () => {}, close: () => {} };

class CbsRequests implements InboundNode {
  readonly #receiver: Receiver;
  readonly #host: LinkHost;

  constructor(receiver: Receiver, host: LinkHost) {
    this.#receiver = receiver;
    this.#host = host;
  }

  receive(request: Message, delivery: Delivery): void {
    delivery.accept();
    const { status, description } = this.#answer(request);
    this.#host.reply(this.#receiver, CBS_ADDRESS, textOf(request.reply_to), {
      ...(request.message_id === undefined ? {} : { correlation_id: request.message_id }),
      application_properties: { 'status-code': status, 'status-description': description },
      body: null,
    });
  }

  #answer(request: Message): { readonly status: number; readonly description: string } {
    const properties = propertiesOf(request);
    if (properties.get('operation') !== 'put-token') return { status: 501, description: 'the only operation is put-token' };
    if (properties.get('type') !== SAS_TOKEN) return { status: 400, description: `the only type is ${SAS_TOKEN}` };
    const audience = properties.get('name');
    const token = bodyOf(request)?.toString('latin1');
    if (typeof audience !== 'string' || audience.length > MAX_ADDRESS_CHARACTERS || token === undefined) return { status: 400, description: 'put-token needs a name and a token' };
    return this.#host.claim(audience, token) ? { status: 200, description: 'OK' } : { status: 401, description: 'Unauthorized' };
  }
}
