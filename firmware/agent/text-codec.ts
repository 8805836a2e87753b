/** Text to bytes and back; given to the agent, which has no such built-in on the chip. */
export interface TextCodec {
  /**
   * UTF-8, in a new array of exactly its size.
   * @throws RangeError for a string with half of a surrogate pair.
   */
  encodeUtf8(text: string): Uint8Array;
  /** @throws ERR_PROTOCOL for bytes that are not well-formed UTF-8 (RFC 3629). */
  decodeUtf8(bytes: Uint8Array): string;
  /** base64 with padding (RFC 4648, section 4). */
  encodeBase64(bytes: Uint8Array): string;
  /** @throws ERR_PROTOCOL for text that is not base64 with padding. */
  decodeBase64(text: string): Uint8Array;
}
