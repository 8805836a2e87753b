/** `Date` of an HTTP answer. @see RFC 9110, section 5.6.7 (IMF-fixdate, the only form that servers may send) */

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const DAYS = 'SunMonTueWedThuFriSat';
/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const LENGTH = 29;

/** Milliseconds since 1970, or `undefined` for anything but an IMF-fixdate. */
export function parseHttpDate(text: string): number | undefined {
  if (text.length !== LENGTH || text.slice(3, 5) !== ', ' || text.slice(25) !== ' GMT') return undefined;
  const month = MONTHS.indexOf(text.slice(8, 11));
  if (DAYS.indexOf(text.slice(0, 3)) % 3 !== 0 || month % 3 !== 0) return undefined;
  if (text[7] !== ' ' || text[11] !== ' ' || text[16] !== ' ' || text[19] !== ':' || text[22] !== ':') return undefined;
  const day = digits(text, 5, 7);
  const year = digits(text, 12, 16);
  const hour = digits(text, 17, 19);
  const minute = digits(text, 20, 22);
  const second = digits(text, 23, 25);
  if (!(day >= 1 && hour <= 23 && minute <= 59 && second <= 60 && year >= 1970)) return undefined;
  const midnightMs = Date.UTC(year, month / 3, day);
  // Date.UTC makes 30 February the first or second of March.
  if (new Date(midnightMs).getUTCDate() !== day) return undefined;
  return midnightMs + ((hour * 60 + minute) * 60 + second) * 1000;
}

/**
 * The `Date` field in the head of an HTTP answer (`head` up to, and without, the empty line); `undefined` without a
 * status line, without the field, or with two that differ.
 */
export function dateOfHead(head: string): number | undefined {
  const lines = head.split('\r\n');
  if (lines[0]?.startsWith('HTTP/1.') !== true) return undefined;
  let found: string | undefined;
  for (const line of lines) {
    if (line.slice(0, 5).toLowerCase() !== 'date:') continue;
    const value = line.slice(5).trim();
    if (found !== undefined && found !== value) return undefined;
    found = value;
  }
  return found === undefined ? undefined : parseHttpDate(found);
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
