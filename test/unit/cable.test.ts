import { expect, test } from '@jest/globals';

import type { HostFrame } from '../../host-sim/board/driver-frames.ts';
import { Cable } from '../../host-sim/time/cable.ts';
import { Link } from '../../host-sim/time/link.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { VirtualNetwork } from '../../host-sim/time/virtual-network.ts';

test('a pulled cable breaks what is open, and lets neither connections nor datagrams nor names through until it is plugged', () => {
  const clock = new VirtualClock(0);
  const network = new VirtualNetwork(new Link({ clock, delayMs: 0 }), {
    tcp: new Map([['192.0.2.1:80', (socket) => void socket.on('error', () => {})]]),
    udp: new Map([['192.0.2.1:123', () => new Uint8Array(1)]]),
    names: new Map([['a.test', '192.0.2.1']]),
  });
  const cable = new Cable();
  const [here, there]: [HostFrame[], HostFrame[]] = [[], []];
  const sockets = network.attach((frame) => here.push(frame), cable);
  const others = network.attach((frame) => there.push(frame));
  const pass = (): HostFrame[] => {
    while (clock.fireDue()) continue;
    return here.splice(0);
  };
  const ask = (): void => {
    sockets.handle({ type: 'resolve', id: 1, name: 'a.test' });
    sockets.handle({ type: 'udp-send', id: 2, address: '192.0.2.1', port: 123, bytes: new Uint8Array(1) });
  };
  sockets.handle({ type: 'tcp-open', id: 3, address: '192.0.2.1', port: 80 });
  others.handle({ type: 'tcp-open', id: 4, address: '192.0.2.1', port: 80 });
  expect(pass()).toEqual([{ type: 'tcp-connected', id: 3 }]);
  cable.pull();
  ask();
  sockets.handle({ type: 'tcp-open', id: 5, address: '192.0.2.1', port: 80 });
  expect(pass()).toEqual([{ type: 'tcp-failed', id: 3 }, { type: 'resolved', id: 1, address: '' }, { type: 'tcp-failed', id: 5 }]);
  cable.plug();
  ask();
  expect(pass().map(({ type }) => type)).toEqual(['resolved', 'udp-data']);
  expect(there).toEqual([{ type: 'tcp-connected', id: 4 }]);
});
