'use strict';
/** What mqtt-packet uses of `bl`, for a list of one array: the framer gives it whole packets only. */
const { decodeUtf8 } = require('../utf8.ts');

class OneBuffer {
  constructor() {
    this.bytes = undefined;
    this.offset = 0;
    this.length = 0;
  }

  append(bytes) {
    if (this.length > 0) throw new Error('bytes of another packet are left');
    this.bytes = bytes;
    this.offset = 0;
    this.length = bytes.length;
  }

  consume(count) {
    this.offset += count;
    this.length -= count;
    if (this.length <= 0) this.bytes = undefined;
  }

  readUInt8(index) {
    return this.bytes[this.offset + index];
  }

  readUInt16BE(index) {
    const at = this.offset + index;
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  /** A view. */
  slice(start, end) {
    return this.bytes.subarray(this.offset + start, this.offset + end);
  }

  toString(_encoding, start, end) {
    return decodeUtf8(this.bytes, this.offset + start, this.offset + end);
  }
}

module.exports = () => new OneBuffer();
