'use strict';
/** What mqtt-packet uses of Node's `buffer` for MQTT 3.1.1. Every Uint8Array counts as a Buffer, so none is copied to become one. */
const { encodeUtf8 } = require('../utf8.ts');

class Buffer extends Uint8Array {
  static [Symbol.hasInstance](value) {
    return ArrayBuffer.isView(value);
  }

  static isBuffer(value) {
    return ArrayBuffer.isView(value);
  }

  static from(bytes) {
    return new Buffer(bytes);
  }

  static alloc(length) {
    return new Buffer(length);
  }

  static allocUnsafe(length) {
    return new Buffer(length);
  }

  static byteLength(value) {
    return typeof value === 'string' ? encodeUtf8(value).length : value.length;
  }

  writeUInt8(value, offset) {
    this[offset] = value;
  }
}

exports.Buffer = Buffer;
