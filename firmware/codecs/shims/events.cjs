'use strict';
/** mqtt-packet's parser extends this class; the codec overrides `emit`, so nobody listens. */
exports.EventEmitter = class EventEmitter {};
