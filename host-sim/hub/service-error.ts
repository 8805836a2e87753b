/**
 * An error that a client of the hub may see, in IoT Hub's own terms.
 * @see https://learn.microsoft.com/azure/iot-hub/troubleshoot-error-codes
 */
export class ServiceError extends Error {
  /** HTTP status; AMQP and MQTT translate it. */
  readonly status: number;
  /** IoT Hub's code, such as 404001. */
  readonly code: number;
  /** IoT Hub's name of it, such as `DeviceNotFound`. */
  readonly reason: string;

  /** @param message holds no key, token or signature */
  constructor(status: number, code: number, reason: string, message: string) {
    super(message);
    this.name = 'ServiceError';
    this.status = status;
    this.code = code;
    this.reason = reason;
  }
}
