'use strict';
const { relative, sep } = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

/** The files that take longest, longest first (measured). Begun last, one of them would run on alone while the other core rests. */
const LONG = [
  'conformance/sim-renewal',
  'conformance/sim-root-migration',
  'board/agent-renewals',
  'conformance/sim-fleet',
  'board/agent-lives',
  'conformance/faults',
  'conformance/sim-faults',
  'board/agent-roots-room',
  'conformance/sim-process',
  'hostile/tls-peers',
  'unit/roots/root-store-cuts',
  'board/root-cut-boots',
  'board/agent-roots-freeze',
  'board/agent-roots',
  'board/agent-refusals',
  'conformance/sim-determinism',
  'board/agent-cuts',
  'board/root-bundle',
  'conformance/azure-iothub-thermostat',
  'hostile/mqtt-names-and-time',
  'conformance/device-command',
];

/** The same order on every machine: jest's own goes by what it remembers of earlier runs, and on a new machine by the size of the files. */
module.exports = class LongFirst extends Sequencer {
  /** @param {readonly import('@jest/test-result').Test[]} tests */
  sort(tests) {
    const rankOf = ({ path, context }) => {
      const name = relative(context.config.rootDir, path).split(sep).slice(1).join('/').replace(/\.test\.ts$/, '');
      const rank = LONG.indexOf(name);
      return rank < 0 ? LONG.length : rank;
    };
    return [...tests].sort((a, b) => rankOf(a) - rankOf(b) || (a.path < b.path ? -1 : 1));
  }
};
