/** Every limit of the agent, with its source. Times in milliseconds unless the name says otherwise. */

/** A timer of the chip takes no longer delay (2^31 - 1 ms); longer waits are made of several. */
export const MAX_TIMER_MS = 0x7fffffff;

/** Shortest and longest life of a token. Source: the project's own range, 5 s for tests to one year. */
export const MIN_TOKEN_LIFE_SECONDS = 5;
export const MAX_TOKEN_LIFE_SECONDS = 365 * 24 * 3600;
export const DEFAULT_TOKEN_LIFE_SECONDS = 3600;

/** A token is renewed at a uniformly drawn part of its life in this range, so that a fleet does not renew together. */
export const RENEW_FROM = 0.65;
export const RENEW_TO = 0.8;

/** TCP and TLS of the second connection start earlier than the last ones took, by this factor and this margin. */
export const PREPARE_FACTOR = 1.25;
export const PREPARE_MARGIN_MS = 100;
/** Assumed before the first measurement. */
export const FIRST_OPEN_MS = 1000;

/** The first connection's window may drain for one round trip and this long. */
export const DRAIN_MARGIN_MS = 200;
/** Assumed before the first measurement. */
export const FIRST_ROUND_TRIP_MS = 500;

/** After this long without CONNACK (or a third of the token's remaining life) the first connection is used again. */
export const CONNACK_PATIENCE_MS = 2000;
/** After this long without CONNACK the connection is given up. */
export const CONNACK_TIMEOUT_MS = 20_000;

/** DNS, TCP and TLS together may take this long. */
export const OPEN_TIMEOUT_MS = 30_000;

/** Between a refused CONNECT and the next of the three: long enough not to hammer, drawn uniformly. */
export const REFUSED_RETRY_FROM_MS = 500;
export const REFUSED_RETRY_TO_MS = 1500;
/** CONNECTs in a row before the slow probe, the refused one included. */
export const MAX_REFUSED_CONNECTS = 3;
/** The slow probe: uniform 15–30 s, doubling to 15 min. */
export const PROBE_FIRST_MS = 30_000;
export const PROBE_CAP_MS = 15 * 60_000;
/** A clock that was off by more than this explains a refused token. Source: IoT Hub documents no skew; 5 min is its grace. */
export const CLOCK_OFF_MS = 60_000;

/** Lost networks: full jitter with a minimum, to a cap. */
export const NETWORK_BACKOFF = { minimumMs: 500, firstMs: 1000, capMs: 120_000 } as const;

/** QoS 1 messages sent and not acknowledged; the default of `window`. */
export const DEFAULT_WINDOW = 64;
/** Messages accepted by `send()` and not acknowledged, the window included; the default of `queue`. */
export const DEFAULT_QUEUE = 128;
/** Upper bounds of both: packet ids are 16 bits and RAM is small. */
export const MAX_WINDOW = 1024;
export const MAX_QUEUE = 4096;
/** An unacknowledged message for this long means that the connection is dead. */
export const DEFAULT_PUBACK_TIMEOUT_MS = 10_000;
/** Keep-alive; IoT Hub allows 1177 s at most (1.5 × keep-alive is capped at 1767 s). */
export const DEFAULT_KEEP_ALIVE_SECONDS = 240;
export const MAX_KEEP_ALIVE_SECONDS = 1177;
/** A PINGREQ must be answered within this time. */
export const PING_TIMEOUT_MS = 10_000;

/** The largest packet held whole; larger ones are skipped as they stream. */
export const DEFAULT_MAX_INBOUND = 8 * 1024;
/** IoT Hub's limit for a device-to-cloud message, properties included. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/**
 * Messages from the cloud that are handed over and not acknowledged. Those above it are passed over; once the others are
 * acknowledged the connection is made anew, and the hub sends them again.
 */
export const MAX_UNHANDLED_MESSAGES = 8;
/** A message whose handler throws is tried so often, each time on another connection; then it is acknowledged and told as dropped. */
export const MAX_MESSAGE_TRIES = 3;
/** Messages that the hub holds because their handler threw; one more is dropped, so that they never stop all others. */
export const MAX_FAILED_MESSAGES = 8;

/** Plaintext and ciphertext are moved in pieces of this size, so that the chunk heap stays small. */
export const READ_PIECE_BYTES = 1024;

/**
 * Acknowledgements and pings that wait for room on a connection; above this the peer takes nothing any more. IoT Hub keeps
 * up to 50 messages for a device and may send them at once.
 */
export const MAX_WAITING_PACKETS = 64;

/** NTP and HTTPS Date. */
export const NTP_PORT = 123;
export const NTP_TIMEOUT_MS = 3000;
export const DATE_TIMEOUT_MS = 15_000;
/** The status line and headers of the answer that carries `Date`. */
export const MAX_DATE_ANSWER_BYTES = 4096;
/** A network time is believed within the floor and this long after it. */
export const CLOCK_HORIZON_MS = 10 * 365.25 * 24 * 3600 * 1000;
/** The persisted floor moves at most once a day. */
export const FLOOR_STEP_MS = 24 * 3600 * 1000;
/** While the clock is unknown both servers are asked again after a jittered wait in this range. */
export const CLOCK_RETRY = { minimumMs: 500, firstMs: 2000, capMs: 60_000 } as const;
/** A confirmed or network time is checked again this often. */
export const CLOCK_CHECK_MS = 24 * 3600 * 1000;

/** TLS port of MQTT at IoT Hub. */
export const DEFAULT_PORT = 8883;
/** Ids of devices and modules have at most this many characters. */
export const MAX_ID_LENGTH = 128;
export const MAX_HOST_LENGTH = 253;

/** Characters of a topic or a method's name that an event repeats. */
export const MAX_EVENT_TEXT = 128;

/** An answer about the twin must come within this time; then it is asked for again. The hub delays answers when it throttles. */
export const TWIN_TIMEOUT_MS = 30_000;
/** Between two tries of a twin request that was throttled, failed or timed out. */
export const TWIN_BACKOFF = { minimumMs: 1000, firstMs: 2000, capMs: 5 * 60_000 } as const;
/** Reported patches that wait and that no single patch can say; see mergeReported. */
export const MAX_REPORT_QUEUE = 4;

/** IoT Hub's limit for the answer to a direct method. */
export const MAX_METHOD_ANSWER_BYTES = 128 * 1024;
/** Direct methods that the application has not answered; those above are answered with 429. */
export const MAX_OPEN_METHODS = 8;
/** Answers that the hub has not acknowledged, refusals included; above this a method is dropped. */
export const MAX_METHOD_ANSWERS = 16;
/** The service waits for an answer for 300 s at most: then nobody hears it any more. */
export const METHOD_TIMEOUT_MS = 300_000;
