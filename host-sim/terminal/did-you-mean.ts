/** Edits from a typed word to a known one up to which it is offered. */
const MAX_EDITS = 2;

/** The known word that was probably meant; `undefined` when none is near. Case does not count. */
export function nearestWord(typed: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewestEdits = MAX_EDITS + 1;
  for (const word of known) {
    const edits = countEdits(typed.toLowerCase(), word.toLowerCase());
    if (edits >= fewestEdits) continue;
    fewestEdits = edits;
    nearest = word;
  }
  return nearest;
}

/** Levenshtein's distance. */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
