'use strict';
const net = require('node:net');

/*
 * Where "localhost" has two addresses Node gives the first one a quarter of a second to answer, and then tries the other, at which nobody
 * listens. A test that shares its thread with the hub may need longer on a busy machine.
 */
net.setDefaultAutoSelectFamilyAttemptTimeout(60_000);
