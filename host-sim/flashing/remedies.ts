/** What keeps a board from coming online, and what to do about it. Codes are the firmware's (docs/architecture.md). */
export interface Diagnosis {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

const KNOWN: Readonly<Record<string, readonly [message: string, remedy: string]>> = {
  ERR_NVS_KEY_MISSING: ['the eFuse block of the encrypted settings holds no key that can be used', 'burn it: latchkey provision --release --burn --port …'],
  ERR_NVS_UNREADABLE: ['the settings cannot be read: damaged, plain ones under a --release firmware, encrypted ones under another, or another key', 'run latchkey provision as the firmware was built (both with --release or both without), then latchkey flash'],
  ERR_NVS_FULL: ['there is no room for another setting', 'provision again with fewer roots, or make nvs larger in manifests/partitions.csv'],
  ERR_SETTINGS_MISSING: ['the board has no settings that this firmware can read', 'provision it as the firmware was built (both with --release or both without), then latchkey flash --provision FOLDER'],
  ERR_KEYS_MISSING: ['the board has no key', 'provision it, then flash both: latchkey provision, latchkey flash --provision FOLDER'],
  ERR_SIGNER_SLOT: ['the board has no key', 'provision it, then flash both: latchkey provision, latchkey flash --provision FOLDER'],
  ERR_SIGNER_STORE: ['the key partition is damaged', 'provision the board again'],
  ERR_SIGNER_RESOURCE: ['the key was bound to another hub or device than the settings name', 'provision the board again: key and settings together'],
  ERR_SIGNER_EFUSE_UNBURNT: ['the eFuse block of the key is not burnt', 'burn it: latchkey provision --release --new-key --burn --port …'],
  ERR_SIGNER_EFUSE_PURPOSE: ['the eFuse block of the key was burnt for another purpose than HMAC_UP', 'provision another block: --signer-block'],
  ERR_SIGNER_EFUSE_READABLE: ['the eFuse block of the key can be read by software', 'do not use that key: provision another block with --new-key'],
  ERR_SIGNER_EFUSE_WRITABLE: ['the eFuse block of the key can be written to', 'do not use that key: provision another block with --new-key'],
  ERR_SIGNER_EFUSE_BLOCK: ['the key is in no key block, or in that of the encrypted settings', 'provision another block: --signer-block 0 to 4'],
  ERR_SIGNER_PARTITION_PLAIN: ['the key partition is not encrypted, and this firmware wants it to be', 'switch flash encryption on (docs/flash.md), or build without --release'],
  ERR_WIFI_PASSWORD: ['the access point refuses the Wi-Fi password', 'provision it again with the right one: --keep-key changes settings only'],
  ERR_WIFI_NOT_FOUND: ['no network with that name is in reach', 'check the spelling and that it has 2.4 GHz, then provision with --keep-key --wifi-ssid'],
  ERR_WIFI_ADDRESS: ['the network gives the board no address', 'check that its DHCP server has one left'],
  ERR_WIFI_LOST: ['the access point drops the board', 'bring it nearer, or look at the access point'],
  ERR_NTP_SILENT: ['no time server answers, and without the time no certificate can be checked', 'let UDP port 123 through, or name a server that is near: provision --keep-key --ntp HOST'],
  ERR_NTP_DISAGREES: ['the two time servers disagree', 'name others: provision --keep-key --ntp HOST --ntp HOST'],
  ERR_NTP_RANGE: ['the time servers give a time before this firmware was built, or far after', 'name others: provision --keep-key --ntp HOST'],
  ERR_TLS_UNTRUSTED_ISSUER: ['the hub shows a certificate of an issuer that the board does not trust', 'for a local hub provision with --gateway, so that its root is taken; else with --root FILE'],
  ERR_TLS_HOSTNAME: ['the certificate is for another name than the one that was dialled', 'check the hub name and --gateway; a captive portal looks like this, too'],
  ERR_TLS_EXPIRED: ['the certificate of the hub has ended, or the clock is ahead', 'renew the certificate, or check the time servers'],
  ERR_TLS_NOT_YET_VALID: ['the certificate of the hub has not begun, or the clock is behind', 'check the time servers'],
  ERR_TLS_SELF_TEST: ['this build does not refuse a bad certificate chain, so it connects to nothing', 'build it with CONFIG_MBEDTLS_HAVE_TIME_DATE=y: latchkey firmware build --check'],
  ERR_TLS_CONFIG: ['host or roots in the settings are not what TLS takes', 'provision it again: a root must be a CA certificate, a host a name or an IPv4 address'],
  ERR_TLS_NOT_A_CA: ['a certificate in the chain of the hub signs that is no CA', 'look who answers under that name: openssl s_client -connect HOST:8883 -showcerts'],
  ERR_TLS_USAGE: ['a certificate in the chain of the hub is not made for a server', 'look who answers under that name: openssl s_client -connect HOST:8883 -showcerts'],
  ERR_TLS_WEAK_KEY: ['the hub shows a key that is too weak', 'give the server RSA of 2048 bits or more, or P-256'],
  ERR_TLS_WEAK_HASH: ['the hub shows a certificate that is signed with SHA-1 or older', 'give the server a certificate that is signed with SHA-256'],
  ERR_TLS_VERSION: ['the hub speaks no TLS from 1.2 on', 'switch TLS 1.2 on there'],
  ERR_TLS_CIPHER: ['board and hub have no cipher suite in common', 'switch ECDHE with AES-GCM or ChaCha20 on there'],
  ERR_TLS_PROTOCOL: ['what answers at the hub speaks no TLS', 'check host and port: MQTT over TLS is 8883'],
  ERR_TLS_MEMORY: ['there is not enough memory for a TLS connection', 'take features out of the image, or a chip with more RAM'],
  ERR_HEAP: ['there is not enough memory for a connection', 'take features out of the image, or a chip with more RAM'],
  ERR_PARTITIONS: ['the partition table on the board is not that of this firmware', 'flash it whole: latchkey flash --provision FOLDER'],
  ERR_SIGNER_EXPIRY: ['a token was asked for that ends too far from now', 'check the time servers, and --token-ttl'],
  ERR_SIGNER_FAILED: ['the signer has failed', 'restart the board; if it stays so, provision it again'],
  ERR_DNS: ['the name of the hub has no address', 'check the name in the connection string, and the DNS server that the network gives'],
  ERR_TCP: ['nobody takes the connection at host and port of the hub', 'check --gateway, that the hub runs and listens on an address that the board reaches (hub --address), and firewalls'],
  ERR_HUB_SILENT: ['the hub takes the connection and says nothing', 'check host and port: MQTT over TLS is 8883'],
  ERR_TIMEOUT: ['the hub does not answer', 'let TCP port 8883 through, or check --gateway'],
  ERR_SIGNER_SELF_TEST: ['the signer gives a wrong answer to a known question', 'do not use this board: its HMAC peripheral or its flash is at fault'],
  ERR_CONFIG: ['the settings are not what the firmware takes', 'provision it again with this version of latchkey'],
  ERR_DPS_UNAUTHORIZED: ['the provisioning service knows no such device or key', 'compare ID scope, registration id and key with the enrolment; of a group the key must be derived: provision --dps-group'],
  ERR_DPS_DISABLED: ['the enrolment of the device is disabled', 'enable it: az iot dps enrollment update --provisioning-status enabled'],
  ERR_DPS_FAILED: ['the provisioning service could not assign a hub', 'look at the enrolment and at the hubs that are linked: az iot dps linked-hub list; serviceCode says more'],
  ERR_DPS_REFUSED: ['the provisioning service does not take the request', 'look up serviceCode in the reference of the service; provision again with this version of latchkey'],
  ERR_DPS_HUB: ['the provisioning service assigned a hub that the key of the board may not sign for', 'provision the board again with --hub NAME for each hub that may be assigned'],
  ERR_DPS_DEVICE: ['the provisioning service gave the board another device id than its key may sign for', 'provision it again with --dps-device ID'],
  ERR_DPS_KEY: ['the key of the board may not sign for its registration', 'provision the board again: key and settings together'],
  ERR_DPS_ANSWER: ['the provisioning service answers what cannot be read', 'check --dps-host; if it is right, ask again later'],
  ERR_DPS_TIMEOUT: ['the provisioning service does not answer in time', 'let TCP port 8883 through, or check --dps-host; the board asks again'],
  ERR_DPS_UNAVAILABLE: ['the provisioning service takes no connection now', 'wait: the board asks again'],
  'self-test': ['a self-test failed', 'build and flash again; if it stays so, do not use this board'],
  'credential-refused': ['the hub refuses the device: key, name or its being disabled, the clock is right', 'compare with the registry: az iot hub device-identity show; provision again with --new-key'],
  'boot-loop': ['the board restarts again and again', 'read the last lines above it; try another power supply and cable, then a build without --release'],
  'gave-up': ['the firmware gave up: it ran out of memory, or ESP-IDF met what it does not survive', 'read the lines above it; where memory ran out take features out of the image, or a chip with more RAM; a build without --release says more'],
  'no-image': ['there is nothing in the flash that starts', 'flash it again; for a secure-boot board with images that are signed by its key'],
  'bad-image': ['the image in the flash is damaged', 'run latchkey flash again'],
  brownout: ['the supply voltage breaks down', 'use another cable, port or power supply'],
  waiting: ['nothing went wrong so far, but the board is not online', 'give it longer: --timeout 5m'],
  silent: ['the board prints nothing', 'press RESET; look whether --port is the one with the log (some boards have two), and --log-baud'],
};

export function diagnose(code: string): Diagnosis {
  const [message, remedy] = (Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined) ?? [`the board says ${code}`, 'read the lines above; docs/flash.md lists what they mean'];
  return { code, message, remedy };
}

/** Lines of ROM and bootloader that are the end. @see ESP-IDF components/bootloader_support */
const FATAL_TEXTS: readonly (readonly [pattern: string, code: string])[] = [
  ['invalid header: 0x', 'no-image'],
  ['No bootable app partitions', 'no-image'],
  ['Secure boot check fail', 'no-image'],
  ['image at 0x', 'bad-image'],
  ['Image hash failed', 'bad-image'],
  ['Checksum failed', 'bad-image'],
  ['Factory app partition is not bootable', 'bad-image'],
  ['Brownout detector was triggered', 'brownout'],
  ['abort() was called at', 'gave-up'],
  ['Guru Meditation Error', 'gave-up'],
];

export function codeOfText(line: string): string | undefined {
  return FATAL_TEXTS.find(([pattern]) => line.includes(pattern))?.[1];
}
