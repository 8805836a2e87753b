import { CliError, EXIT } from '../terminal/cli-error.ts';

/** IEEE 802.11: an SSID has 1 to 32 bytes; WPA: a passphrase has 8 to 63 printable characters, a raw key 64 hexadecimal ones. */
const MAX_SSID_BYTES = 32;
const PASSPHRASE = /^[ -~]{8,63}$/;
const RAW_KEY = /^[0-9a-fA-F]{64}$/;

export interface Wifi {
  readonly ssid: string;
  /** Absent: an open network. Secret. */
  readonly password?: string | undefined;
}

/** @throws ERR_WIFI; the text does not hold the password */
export function checkWifi(wifi: Wifi): Wifi {
  const ssidBytes = Buffer.byteLength(wifi.ssid, 'utf8');
  if (ssidBytes === 0 || ssidBytes > MAX_SSID_BYTES || wifi.ssid.includes('\0')) {
    throw refused(`an SSID has 1 to ${MAX_SSID_BYTES} bytes, not ${ssidBytes}`, 'give the name of the network as the access point sends it');
  }
  const { password } = wifi;
  if (password !== undefined && !PASSPHRASE.test(password) && !RAW_KEY.test(password)) {
    throw refused(
      `a Wi-Fi password has 8 to 63 printable ASCII characters, or is a key of 64 hexadecimal digits; this one has ${[...password].length} characters`,
      'give the password of the network and nothing else; for a network without one use --wifi-open',
    );
  }
  return wifi;
}

/** The settings that firmware/ports/esp32 reads, beside those of the application. */
export function wifiSettings(wifi: Wifi | undefined): Readonly<Record<string, string>> {
  if (wifi === undefined) return {};
  return { 'wifi-ssid': wifi.ssid, ...(wifi.password !== undefined && { 'wifi-pass': wifi.password }) };
}

const refused = (message: string, remedy: string): CliError => new CliError('ERR_WIFI', EXIT.configuration, message, remedy);
