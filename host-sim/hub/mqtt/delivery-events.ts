/** A cloud-to-device message went to its device. */
export type DeliveryEvent = {
  readonly event: 'cloudMessageSent';
  readonly connection: number;
  readonly deviceId: string;
  /** As the service set it; empty for none. */
  readonly messageId: string;
  readonly sequenceNumber: number;
  readonly qos: 0 | 1;
  /** It was sent before, on an earlier connection of the session. */
  readonly dup: boolean;
};
