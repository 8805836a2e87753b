'use strict';
/** mqtt-packet's own `numbers`, without the table of 65536 arrays and without the methods of Node's Buffer. */
exports.cache = undefined;

exports.generateCache = () => undefined;

exports.generateNumber = (number) => Uint8Array.of(number >> 8, number);

exports.generate4ByteBuffer = (number) => Uint8Array.of(number >> 24, number >> 16, number >> 8, number);

/** 7 bits a byte, low ones first. [MQTT 2.2.3] */
exports.genBufVariableByteInt = (number) => {
  if (number < 0x80) return Uint8Array.of(number);
  if (number < 0x4000) return Uint8Array.of(number | 0x80, number >> 7);
  if (number < 0x200000) return Uint8Array.of(number | 0x80, (number >> 7) | 0x80, number >> 14);
  return Uint8Array.of(number | 0x80, (number >> 7) | 0x80, (number >> 14) | 0x80, number >> 21);
};
