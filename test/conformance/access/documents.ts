/** What the expectations of the access matrix are taken from: Microsoft's own words, by a short name. */
export const DOCUMENTS = {
  /** "RegistryRead: Read access to the identity registry." */
  registryRead: 'authenticate-authorize-sas#access-control-and-permissions',
  /** "RegistryReadWrite: Read and write access to the identity registry"; a policy's rights name the second half RegistryWrite. */
  registryWrite: 'authenticate-authorize-sas#access-control-and-permissions',
  /** "Access twins to update tags and desired properties, retrieve reported properties, and run queries." */
  serviceTwins: 'authenticate-authorize-sas#access-control-and-permissions',
  /** "Access to cloud service-facing communication and monitoring endpoints", "send cloud-to-device messages". */
  serviceEndpoints: 'authenticate-authorize-sas#access-control-and-permissions',
  /** "DeviceConnect: Access to device-facing endpoints"; "This policy must grant the DeviceConnect permission." */
  deviceConnect: 'authenticate-authorize-sas#use-a-shared-access-policy-to-access-on-behalf-of-a-device',
  /** "an IoT Hub shared access policy with DeviceConnect or ModuleConnect permissions to create device-scoped or module-scoped tokens". */
  moduleConnect: 'iot-hub-devguide-security#custom-device-and-module-authentication',
  /** "A token signed with a device identity's symmetric key only grants the DeviceConnect permission for the associated device identity." */
  ownKey: 'authenticate-authorize-sas#generate-sas-tokens',
  /** "SAS tokens granted to devices must be scoped to an individual device." */
  ownKeyScope: 'authenticate-authorize-sas#sas-token-structure',
  /** "The URI prefix is computed by segment and not by character. For example, /a/b is a prefix for /a/b/c but not for /a/bc." */
  bySegment: 'authenticate-authorize-sas#sas-token-structure',
  /** "The device-facing endpoints are (irrespective of the protocol): …/messages/events, …/messages/devicebound". */
  endpoints: 'authenticate-authorize-sas#use-sas-tokens-from-devices',
  /** "A protocol gateway could use the same token for all devices by setting the resource URI to myhub.azure-devices.net/devices." */
  gateway: 'authenticate-authorize-sas#use-a-shared-access-policy-to-access-on-behalf-of-a-device',
  /** "two symmetric keys", either of which signs. */
  twoKeys: 'authenticate-authorize-sas#per-device-security-credentials',
  /** "401003: the authorization token cannot be validated; for example, it is expired or does not apply to the request's URI and/or method"; "Authorization header missing". */
  invalidToken: 'rest/api/iothub/common-error-codes',
  /** "401002 IotHubUnauthorizedAccess: check the IoT Hub's access policies and permissions." */
  noPermission: 'troubleshoot-error-codes#401xxx-unauthorized-errors',
  /** "403012 DeviceDisabled"; "If Disabled, this device cannot access any device-facing endpoint." */
  disabled: 'troubleshoot-error-codes#403xxx-forbidden-errors',
  /** "404001 DeviceNotFound: the device isn't registered." */
  unknown: 'troubleshoot-error-codes#404001-devicenotfound-error',
  /** "disableLocalAuth: If true, SAS tokens with IoT hub scoped SAS keys cannot be used for authentication"; disableDeviceSAS and disableModuleSAS likewise. */
  denied: 'rest/api/iothub/iot-hub-resource/create-or-update#iothubproperties',
  /** "A device may either use an X.509 certificate or a security token for authentication, but not both." */
  oneWay: 'iot-hub-devguide-security#supported-x509-certificates',
} as const;

export type DocumentName = keyof typeof DOCUMENTS;

/** What a cell must come to: allowed, or IoT Hub's code in the hub's events. */
export type Expected = 'allowed' | 401_002 | 401_003 | 403_012 | 404_001;
