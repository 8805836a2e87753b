/** What the server of raw-server.ts does wrong. `none`: it is a good TLS 1.2 server. */
export type Fault =
  | 'none'
  // The hello.
  | 'version-1.1' | 'suite-not-offered' | 'suite-unknown' | 'compression' | 'no-renegotiation-info'
  // The messages after it.
  | 'no-certificate' | 'sha1-key-exchange' | 'key-exchange-of-another-key' | 'group-not-offered' | 'point-not-on-curve'
  | 'certificate-twice' | 'hello-done-first' | 'message-too-long'
  // Changed on the way: the peer's transcript has the right bytes.
  | 'changed-client-hello' | 'changed-server-hello' | 'changed-certificate' | 'changed-key-exchange' | 'changed-hello-done' | 'changed-finished'
  // The end of the handshake.
  | 'wrong-finished' | 'finished-in-clear' | 'no-change-cipher-spec'
  // Silence.
  | 'silent-at-start' | 'silent-after-hello' | 'silent-after-certificate' | 'silent-after-key-exchange' | 'silent-after-hello-done'
  | 'silent-before-finished' | 'silent-in-a-record' | 'silent-when-up'
  // Records.
  | 'record-too-long' | 'largest-record' | 'plain-data-when-up' | 'wrong-tag' | 'replayed-record' | 'unknown-record-type'
  | 'endless-empty-records' | 'a-few-empty-records' | 'endless-warnings' | 'endless-warnings-in-handshake' | 'endless-hello-requests'
  | 'a-hello-request' | 'close-notify' | 'fatal-alert'
  // No TLS at all.
  | 'http' | 'zeros' | 'noise' | 'ssh' | 'endless-noise';
