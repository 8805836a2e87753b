import type { FinalState } from './cloud-message.ts';

/** What happened to a cloud-to-device message; its body is not told. */
export type MessageEvent = {
  readonly event: 'cloudMessage';
  readonly change: 'queued' | 'abandoned' | FinalState;
  readonly deviceId: string;
  /** As the service set it; empty for none. */
  readonly messageId: string;
  readonly sequenceNumber: number;
  /** Body only. */
  readonly bytes: number;
};
