import { createDevelopmentPki, type DevelopmentPki } from '../../certs/development-pki.ts';
import type { HubEvent, HubEventName } from '../../host-sim/hub/events.ts';
import { createHub, type Hub, type HubOptions } from '../../host-sim/hub/hub.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';

export const HUB_NAME = 'conformance-hub.azure-devices.net';

type EventOf<Name extends HubEventName> = Extract<HubEvent, { event: Name }>;

/** A hub on a free loopback port, its events, and what a client needs to trust it. */
export interface LocalHub {
  readonly hub: Hub;
  readonly port: number;
  readonly pki: DevelopmentPki;
  readonly events: readonly HubEvent[];
  eventsOf<Name extends HubEventName>(name: Name): EventOf<Name>[];
  /** Waits for the next event that matches, or finds it among those that happened. */
  waitFor<Name extends HubEventName>(name: Name, matches?: (event: EventOf<Name>) => boolean): Promise<EventOf<Name>>;
  close(): Promise<void>;
}

/** A guard against a hang: a machine that does much else at the same time is no failure. */
const WAIT_MS = 100_000;

export async function openLocalHub(options: Partial<HubOptions> = {}): Promise<LocalHub> {
  const pki = await createDevelopmentPki({
    names: ['localhost', '127.0.0.1', HUB_NAME],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  const hub = createHub({ hubName: HUB_NAME, clock: realClock, registry: new Registry(), ...options });
  const events: HubEvent[] = [];
  hub.onEvent((event) => events.push(event));
  const listener = await hub.listen({ port: 0, tls: { certificateChain: pki.serverChainPem, privateKey: pki.server.privateKeyPem } });
  const eventsOf = <Name extends HubEventName>(name: Name): EventOf<Name>[] => events.filter((event): event is EventOf<Name> => event.event === name);
  return {
    hub,
    port: listener.port,
    pki,
    events,
    eventsOf,
    waitFor: (name, matches = () => true) =>
      new Promise((resolve, reject) => {
        const past = eventsOf(name).find(matches);
        if (past !== undefined) return resolve(past);
        const timer = setTimeout(() => reject(new Error(`no ${name} within ${WAIT_MS} ms; seen: ${events.map((event) => event.event).join(' ')}`)), WAIT_MS);
        const stop = hub.onEvent((event) => {
          if (event.event !== name || !matches(event as EventOf<typeof name>)) return;
          clearTimeout(timer);
          stop();
          resolve(event as EventOf<typeof name>);
        });
      }),
    close: () => hub.close(),
  };
}
