/**
 * What went wrong, for programs; the message is for people.
 * - `ERR_CONFIG`: a configuration or an argument of the application that can never work.
 * - `ERR_PROTOCOL`: a peer sent bytes that its protocol forbids.
 * - `ERR_PROPERTY`: a message property that cannot travel in a topic.
 * - `ERR_MESSAGE_SIZE`: a message larger than IoT Hub takes.
 * - `ERR_REPORTED`: reported properties that IoT Hub would refuse.
 */
export type ErrorCode = 'ERR_CONFIG' | 'ERR_PROTOCOL' | 'ERR_PROPERTY' | 'ERR_MESSAGE_SIZE' | 'ERR_REPORTED';

/** The one error class of the agent. Its text never holds a secret. */
export class LatchkeyError extends Error {
  // A field, not an assignment: Error.prototype is frozen once the agent is preloaded.
  override readonly name = 'LatchkeyError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
