'use strict';
const ignore = () => undefined;

/** Debug output of mqtt-packet: none. */
module.exports = () => ignore;
