import { createRequire } from 'node:module';
import type { Connection, Container, Delivery, Receiver, Sender, Session, Source, TerminusOptions } from 'rhea';

/** rhea exports an object made at run time: no name of it can be imported by an ES module. */
const rhea = createRequire(import.meta.url)('rhea') as Pick<Container, 'create_container' | 'types' | 'message' | 'generate_uuid' | 'connect'>;

export const { types, message: messageSections } = rhea;

export const createContainer: Container['create_container'] = (options) => rhea.create_container(options);

/** What rhea's own declarations leave out of a session: the fields of `begin`, and the messages that wait for the client's window. */
interface SessionInternals {
  readonly local: { readonly begin: { handle_max: number } };
  readonly outgoing: { readonly next_delivery_id: number; readonly next_pending_delivery: number };
}

/** Says how many links a session may have; before rhea writes `begin`. */
export function setHandleMax(session: Session, handleMax: number): void {
  (session as unknown as SessionInternals).local.begin.handle_max = handleMax;
}

/** Messages that rhea could not hand to the client yet, for want of credit or window. */
export function waitingDeliveries(session: Session): number {
  const { outgoing } = session as unknown as SessionInternals;
  return outgoing.next_delivery_id - outgoing.next_pending_delivery;
}

/** Deliveries of a session that went out whole: the next one has this number. 0 where the client has no session. */
export function sentDeliveries(connection: Connection, channel: number): number {
  const { remote_channel_map: sessions } = connection as unknown as { readonly remote_channel_map: Readonly<Record<number, SessionInternals | undefined>> };
  return sessions[channel]?.outgoing.next_pending_delivery ?? 0;
}

/** Lets rhea do now what it would do in the next tick: what comes after is then told after it, and no two settlements are joined. */
export function flush(connection: Connection): void {
  (connection as unknown as { _process(): void })._process();
}

/**
 * Frees a link's name for the other direction: AMQP names a link by its two ends and its direction, rhea finds it by name alone.
 * @returns the name
 */
export function freeName(link: Sender | Receiver): string {
  const { name } = link;
  const { links } = link.session as unknown as { readonly links: Record<string, Sender | Receiver> };
  const own = `${link.is_sender() ? 'sender' : 'receiver'} ${name}`;
  delete links[name];
  links[own] = link;
  link.name = own;
  return name;
}

/** How many messages the client wants on a link. */
export function creditOf(sender: Sender): number {
  const { credit } = sender as unknown as { readonly credit: number };
  return Number.isFinite(credit) ? Math.max(0, credit) : 0;
}

/** Ends a delivery that the client gave a state to without settling it, as it may: rhea waits for it to settle otherwise. */
export function settleForBoth(delivery: Delivery): void {
  if (delivery.remote_settled) return;
  delivery.update(true);
  (delivery as { remote_settled: boolean }).remote_settled = true;
}

/** What the hub says of itself in `open`. */
export interface OpenFields {
  readonly container_id: string;
  readonly max_frame_size: number;
  readonly channel_max: number;
  readonly idle_time_out: number;
}

/** A server's connection: it is given a socket and never opens one. */
export function createServerConnection(container: Container, fields: OpenFields): Connection {
  const options = { ...fields, reconnect: false } as Parameters<Container['create_connection']>[0];
  return container.create_connection(options);
}

/** What the hub answers for the ends of a link; rhea's types ask for addresses, which the specification does not. */
export function setTermini(link: Sender | Receiver, source: Partial<Source>, target: Partial<TerminusOptions>): void {
  link.set_source(source as Source);
  link.set_target(target as TerminusOptions);
}
