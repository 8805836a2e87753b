/** Processes of boards that run now. Only for the way out in an emergency: whoever starts a board ends it in order. */
const pids = new Set<number>();

/** Notes a board until `exited` settles. */
export function trackBoard({ pid, exited }: { readonly pid: number; readonly exited: Promise<unknown> }): void {
  pids.add(pid);
  const forget = (): void => void pids.delete(pid);
  exited.then(forget, forget);
}

/** Ends every board that still runs, at once. */
export function killRunningBoards(): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  }
}
