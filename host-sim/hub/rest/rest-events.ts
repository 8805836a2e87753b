/** What happened at the REST side; no event holds a key, a token or a signature, nor what a stranger wrote as a path. */
export type RestEvent =
  | {
      readonly event: 'requestAnswered';
      readonly peer: string;
      readonly method: string;
      /** As the API has it, such as `/devices/:deviceId`. */
      readonly route: string;
      readonly status: number;
      /** IoT Hub's code of an error. */
      readonly code?: number;
      readonly detail?: string;
      readonly policy?: string;
      readonly deviceId?: string;
      readonly moduleId?: string;
    }
  | {
      readonly event: 'requestRefused';
      readonly peer: string;
      readonly method: string;
      /** `undefined` for a path that the API does not have. */
      readonly route?: string;
      readonly status: 401;
      readonly reason: string;
      readonly code: number;
      readonly detail: string;
      /** Digest of the token. */
      readonly token?: string;
      readonly expirySeconds?: number;
    }
  /** Bytes that are no request, or a client too slow to send one or to take the answer. */
  | { readonly event: 'requestBroken'; readonly peer: string; readonly reason: RequestFault; readonly detail?: string }
  /** The hub's own fault. */
  | { readonly event: 'requestFailed'; readonly peer: string; readonly method: string; readonly route: string; readonly detail: string };

export type RequestFault = 'malformed' | 'headers-too-large' | 'too-slow' | 'client-does-not-read' | 'too-many-requests-waiting';
