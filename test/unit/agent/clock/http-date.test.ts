import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { dateOfHead, parseHttpDate } from '../../../../firmware/agent/clock/http-date.ts';

describe('an IMF-fixdate [RFC 9110, 5.6.7]', () => {
  test('of the RFC is read', () => expect(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(784_111_777_000));

  test('of any second from 1970 to 9999 is read as V8 wrote it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString())).toBe(seconds * 1000);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  test.each([
    ['Thu, 29 Feb 2024 12:00:00 GMT', Date.UTC(2024, 1, 29, 12)],
    ['Tue, 29 Feb 2000 12:00:00 GMT', Date.UTC(2000, 1, 29, 12)],
    // A leap second is the first of the next minute.
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ])('"%s" is read', (text, unixMs) => expect(parseHttpDate(text)).toBe(unixMs));

  test.each([
    '',
    // The two obsolete forms: a server must not send them.
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 GMT ',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
    'sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 gmt',
    'Xyz, 06 Nov 1994 08:49:37 GMT',
    'unM, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Xyz 1994 08:49:37 GMT',
    'Sun, 06 anF 1994 08:49:37 GMT',
    'Sun,  6 Nov 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 31 Nov 1994 08:49:37 GMT',
    'Sun, 32 Dec 1994 08:49:37 GMT',
    'Sun, 30 Feb 2024 08:49:37 GMT',
    'Wed, 29 Feb 2023 08:49:37 GMT',
    'Mon, 29 Feb 2100 08:49:37 GMT',
    'Sun, 06 Nov 1969 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    'Sun, 06 Nov 1994 08-49:37 GMT',
    'Sun, 06 Nov 1994 08:49-37 GMT',
    'Sun, 06 Nov -994 08:49:37 GMT',
    'Sun, 06 Nov 1e94 08:49:37 GMT',
    'Sun,006 Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-1994 08:49:37 GMT',
    'Sun, ０６ Nov 1994 08:49:37 GMT',
  ])('"%s" is refused', (text) => expect(parseHttpDate(text)).toBeUndefined());

  test('with any character changed is refused or another date, never an error', () => {
    fc.assert(
      fc.property(fc.nat(28), fc.string({ minLength: 1, maxLength: 1, unit: 'binary-ascii' }), (at, character) => {
        const text = 'Sun, 06 Nov 1994 08:49:37 GMT';
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        const unixMs = parseHttpDate(changed);
        if (unixMs !== undefined) expect(new Date(unixMs).toUTCString().slice(5)).toBe(changed.slice(5));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe('the Date of an answer', () => {
  const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
  test.each<[string, string, boolean]>([
    ['stands anywhere in the head', `HTTP/1.1 200 OK\r\nServer: x\r\nDate: ${DATE}\r\nContent-Length: 0`, true],
    ['counts with any status', `HTTP/1.1 404 Not Found\r\nDate: ${DATE}`, true],
    ['and from HTTP/1.0', `HTTP/1.0 200 OK\r\nDate: ${DATE}`, true],
    ['has a name in any case, and white space around its value', `HTTP/1.1 200 OK\r\ndAtE: \t ${DATE}\t `, true],
    ['needs no white space', `HTTP/1.1 200 OK\r\nDate:${DATE}`, true],
    ['may stand twice when both say the same', `HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nDate: ${DATE}`, true],
    ['must not stand twice with two times', `HTTP/1.1 200 OK\r\nDate: ${DATE}\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT`, false],
    ['is not that of another field', `HTTP/1.1 200 OK\r\nX-Date: ${DATE}\r\nLast-Modified: ${DATE}`, false],
    ['is not one with a space before the colon [RFC 9112, 5.1]', `HTTP/1.1 200 OK\r\nDate : ${DATE}`, false],
    ['must be well formed', 'HTTP/1.1 200 OK\r\nDate: yesterday', false],
    ['needs a status line', `Date: ${DATE}`, false],
    ['needs HTTP', `SMTP/1.1 200 OK\r\nDate: ${DATE}`, false],
    ['is not in the status line', `HTTP/1.1 200 Date: ${DATE}`, false],
    ['is not in an empty head', '', false],
  ])('%s', (_name, head, found) => expect(dateOfHead(head)).toBe(found ? 784_111_777_000 : undefined));
});
