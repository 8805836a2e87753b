export type HubErrorCode =
  | 'ERR_CLOCK'
  | 'ERR_DEVICE_EXISTS'
  | 'ERR_DEVICE_ID'
  | 'ERR_DEVICE_UNKNOWN'
  | 'ERR_ENROLMENT'
  | 'ERR_HUB_NAME'
  | 'ERR_ID_SCOPE'
  | 'ERR_KEY'
  | 'ERR_POLICY'
  | 'ERR_POLICY_UNKNOWN'
  | 'ERR_PORT_FORBIDDEN'
  | 'ERR_PORT_IN_USE'
  | 'ERR_ADDRESS'
  | 'ERR_STATE_FILE'
  | 'ERR_STATE_WRITE'
  | 'ERR_TOKEN';

/** What a user of the hub did wrong or what the machine refused; never holds a key. */
export class HubError extends Error {
  override readonly name = 'HubError';
  readonly code: HubErrorCode;
  /** What to do about it, one sentence. */
  readonly remedy: string;

  constructor(code: HubErrorCode, message: string, remedy: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
    this.remedy = remedy;
  }
}
