import type { SasRefusal } from './sas.ts';

/** The rule that a refused token breaks, for people. */
export function describeSasRefusal(reason: SasRefusal): string {
  switch (reason) {
    case 'token-missing':
      return 'no password: this hub takes SAS tokens only';
    case 'token-too-long':
      return 'the token has more than 2,048 bytes';
    case 'token-malformed':
      return 'not "SharedAccessSignature " and name=value pairs joined by "&"';
    case 'token-field-missing':
      return 'sr, sig or se is missing or empty';
    case 'token-field-repeated':
      return 'a field stands twice';
    case 'token-field-unknown':
      return 'a field other than sr, sig, se, skn';
    case 'expiry-malformed':
      return 'se must be whole seconds since 1970';
    case 'resource-malformed':
      return 'sr cannot be percent-decoded';
    case 'resource-not-covered':
      return 'sr is not this hub and identity, nor above it';
    case 'identity-unknown':
      return 'no such device or module';
    case 'policy-unknown':
      return 'skn names no shared access policy of this hub';
    case 'signature-wrong':
      return 'neither key made this signature';
    case 'permission-missing':
      return 'the policy does not allow devices to connect';
    case 'identity-disabled':
      return 'the device is disabled';
    case 'token-expired':
      return "se is not after this hub's clock";
  }
}
