'use strict';
/** mqtt-packet uses it for streams that can be corked only; the codec's sink cannot. */
exports.nextTick = () => {
  throw new Error('nothing here is corked');
};
