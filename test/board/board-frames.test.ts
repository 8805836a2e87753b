import { PassThrough } from 'node:stream';

import { expect, test } from '@jest/globals';

import { DriverChannel } from '../../host-sim/board/driver-channel.ts';
import { decodeFrame, encodeFrame } from '../../host-sim/board/driver-frames.ts';
import type { BoardFrame, DriverFrame } from '../../host-sim/board/driver-frames.ts';

/** By hand from the table of docs/architecture.md. */
const FRAMES: readonly (readonly [DriverFrame, string])[] = [
  [{ type: 'start', wallMs: 1 }, '09000000 01 000000000000f03f'],
  [{ type: 'run', nowMs: 2.5 }, '09000000 02 0000000000000440'],
  [{ type: 'tcp-connected', id: 1 }, '05000000 03 01000000'],
  [{ type: 'tcp-data', id: 258, bytes: Buffer.from('ab') }, '07000000 04 02010000 6162'],
  [{ type: 'tcp-closed', id: 1 }, '05000000 05 01000000'],
  [{ type: 'tcp-failed', id: 1 }, '05000000 06 01000000'],
  [{ type: 'udp-data', id: 1, address: '192.0.2.7', port: 123, bytes: Buffer.from('a') }, '0c000000 07 01000000 c0000207 7b00 61'],
  [{ type: 'resolved', id: 1, address: '192.0.2.7' }, '0e000000 08 01000000 3139322e302e322e37'],
  [{ type: 'resolved', id: 1, address: '' }, '05000000 08 01000000'],
  [{ type: 'stop' }, '01000000 09'],
  [{ type: 'report' }, '01000000 0a'],
  [{ type: 'dump', path: '/d' }, '03000000 0b 2f64'],
  [{ type: 'idle', wakeAtMs: Infinity }, '09000000 41 000000000000f07f'],
  [{ type: 'tcp-open', id: 1, port: 8883, address: '192.0.2.7' }, '10000000 42 01000000 b322 3139322e302e322e37'],
  [{ type: 'tcp-write', id: 1, bytes: Buffer.alloc(0) }, '05000000 43 01000000'],
  [{ type: 'tcp-close', id: 1 }, '05000000 44 01000000'],
  [{ type: 'udp-send', id: 1, address: '10.0.0.1', port: 65535, bytes: Buffer.alloc(0) }, '0b000000 45 01000000 0a000001 ffff'],
  [{ type: 'udp-close', id: 1 }, '05000000 46 01000000'],
  [{ type: 'resolve', id: 1, name: 'a.b' }, '08000000 47 01000000 612e62'],
  [{ type: 'line', text: '{}' }, '03000000 48 7b7d'],
  [{ type: 'dumped' }, '01000000 49'],
];

test.each(FRAMES)('%j has the bytes of the table, and they give it back', (frame, hex) => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  expect(encodeFrame(frame).toString('hex')).toBe(bytes.toString('hex'));
  expect(decodeFrame(bytes.subarray(4))).toEqual(frame);
});

test('every frame is found again in every splitting of the stream', () => {
  const sent = FRAMES.map(([frame]) => frame).filter((frame): frame is BoardFrame => ['idle', 'tcp-write', 'line', 'dumped'].includes(frame.type));
  const stream = Buffer.concat(sent.map(encodeFrame));
  for (let at = 0; at <= stream.length; at++) {
    const received: BoardFrame[] = [];
    const pipe = new PassThrough();
    const channel = new DriverChannel(pipe);
    channel.onFrame = (frame) => received.push(frame);
    pipe.emit('data', stream.subarray(0, at));
    pipe.emit('data', stream.subarray(at));
    expect(received).toEqual(sent);
  }
});

test.each([
  ['an unknown type', '010000007f', 'driver frame of unknown type 127'],
  ['no type', '00000000', 'driver frame of 0 bytes'],
  ['an absurd length', 'ffffffff41', 'driver frame of 4294967295 bytes'],
  ['a frame of the host', '0100000009', 'driver frame "stop" is not the board\'s to send'],
  ['a payload that is too short', '0300000042aaaa', 'driver frame "tcp-open" with a payload of 2 bytes'],
])('%s closes the channel with an error', (_what, hex, message) => {
  const errors: (Error | undefined)[] = [];
  const pipe = new PassThrough();
  const channel = new DriverChannel(pipe);
  channel.onClose = (error) => errors.push(error);
  pipe.emit('data', Buffer.from(hex, 'hex'));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toBeInstanceOf(RangeError);
  expect(errors[0]?.message).toContain(message);
  expect(channel.closed).toBe(true);
});
