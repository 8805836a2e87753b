/** Bounds of the REST side, each with where it comes from. Tests may lower them. */
export interface RestLimits {
  /** Request line and headers of one request. */
  readonly headerBytes: number;
  readonly headerCount: number;
  /** Body of one request; a route may ask for less. */
  readonly bodyBytes: number;
  /** Body of a request that is refused: read and dropped, and the connection lives on; at a longer one it ends. */
  readonly droppedBytes: number;
  /** How deep JSON may be nested. */
  readonly jsonDepth: number;
  /** Connections at a time. */
  readonly connections: number;
  /** Requests of one connection that wait for their answer: HTTP/1.1 lets a client send on without waiting. */
  readonly pipelined: number;
  /** From the open connection, or from the last answer, to the last byte of a request's headers. */
  readonly headTimeoutMs: number;
  /** From there to the last byte of the body. */
  readonly bodyTimeoutMs: number;
  /** From the answer to its last byte in the client's hands. */
  readonly answerTimeoutMs: number;
  /** What still comes behind an answer that ends the connection is read and dropped for so long: closed at once, the answer would be lost. */
  readonly partingMs: number;
}

export const DEFAULT_REST_LIMITS: RestLimits = {
  // A SAS token has 2 KB at most, an id 384 bytes when all of it is escaped.
  headerBytes: 16 * 1024,
  headerCount: 64,
  // A bulk request of 100 devices, each with a twin of 8 KB tags and 32 KB desired properties, is the longest legal one.
  bodyBytes: 100 * 48 * 1024,
  droppedBytes: 64 * 1024,
  // A twin has ten levels below `properties.desired`, a configuration a few around it; the rest is a method's payload, which has no limit but its size.
  jsonDepth: 64,
  connections: 500,
  pipelined: 16,
  // Node's own defaults are 60 s for headers and 5 s for a connection that rests; azure-iothub keeps one open between calls.
  headTimeoutMs: 60_000,
  bodyTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
  partingMs: 2_000,
};
