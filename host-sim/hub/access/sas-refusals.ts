import type { SasRefusal } from './sas.ts';

/** The rule that a refused token breaks, for people. */
export function describeSasRefusal(reason: SasRefusal): string {
  switch (reason) {
    case 'token-missing':
      return 'no token: this hub takes SAS tokens only';
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
      return 'sr is not what is asked for, nor above it';
    case 'resource-too-wide':
      return 'sr of an own key must name its device or module';
    case 'identity-unknown':
      return 'no such device or module';
    case 'policy-unknown':
      return 'skn names no shared access policy of this hub';
    case 'policy-missing':
      return 'no skn: only a shared access policy may do this';
    case 'identity-uses-certificate':
      return 'the identity is registered for another authentication than SAS';
    case 'shared-access-denied':
      return 'this hub denies shared access';
    case 'signature-wrong':
      return 'neither key made this signature';
    case 'permission-missing':
      return 'the policy does not allow this';
    case 'identity-disabled':
      return 'the device is disabled';
    case 'token-expired':
      return "se is not after this hub's clock";
  }
}

/**
 * IoT Hub's code of a refusal. 401003: "cannot be validated; for example, it is expired or does not apply to the request's URI";
 * 401002: "check the IoT Hub's access policies and permissions".
 * @see https://learn.microsoft.com/rest/api/iothub/common-error-codes
 * @see https://learn.microsoft.com/azure/iot-hub/troubleshoot-error-codes
 */
export function codeOfSasRefusal(reason: SasRefusal): number {
  switch (reason) {
    case 'identity-unknown':
      return 404_001;
    case 'identity-disabled':
      return 403_012;
    case 'permission-missing':
    case 'policy-missing':
    case 'shared-access-denied':
      return 401_002;
    default:
      return 401_003;
  }
}
