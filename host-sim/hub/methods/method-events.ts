interface OfDevice {
  readonly deviceId: string;
  readonly moduleId?: string;
}

/** What happened to a direct method; payloads are not told. */
export type MethodEvent =
  /** The request went to the device. */
  | ({ readonly event: 'methodSent'; readonly method: string; readonly requestId: string } & OfDevice)
  | ({ readonly event: 'methodAnswered'; readonly method: string; readonly requestId: string; readonly status: number } & OfDevice)
  | ({ readonly event: 'methodFailed'; readonly method: string; readonly requestId?: string; readonly code: number; readonly detail: string } & OfDevice)
  /** An answer that nobody waits for: too late, twice, or never asked. */
  | ({ readonly event: 'methodAnswerIgnored'; readonly requestId: string } & OfDevice);
