/**
 * Turns of the event loop in a row in which nothing moved, after which the hub's side is quiet.
 *
 * Why counting turns is sound: what the hub does with bytes runs on this thread, in callbacks that Node queues itself: microtasks,
 * `process.nextTick`, `setImmediate`. There is no thread pool, no socket and no timer of Node in the way (the hub's timers
 * are on the virtual clock, its TLS is a `TLSSocket` over a stream in memory). All microtasks and ticks run within a turn;
 * an immediate set during one turn runs in the next. `TLSSocket` waits for one immediate after each write to the stream below before
 * it writes on, and for at most one more of its own; so a chain that is still going moves something in every second turn at the
 * latest. Four turns are twice that. test/unit/settle.test.ts measures the longest silence in a chain and that no immediate is left.
 */
export const QUIET_TURNS = 4;

/** Turns after which something is taken to run for ever. */
const MAX_TURNS = 100_000;

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/**
 * Resolves when `movement`, a counter of everything that moves, has stood still for `QUIET_TURNS`.
 *
 * @throws Error when it never stands still
 */
export async function settle(movement: () => number): Promise<void> {
  let last = movement();
  let quietTurns = 0;
  for (let turn = 0; quietTurns < QUIET_TURNS; turn++) {
    if (turn === MAX_TURNS) throw new Error(`the hub's side still moves after ${MAX_TURNS} turns of the event loop`);
    await nextTurn();
    const current = movement();
    quietTurns = current === last ? quietTurns + 1 : 0;
    last = current;
  }
}
