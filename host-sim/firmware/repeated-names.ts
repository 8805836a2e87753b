/** A string of JSON, or what opens and closes an object or an array. */
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;

/** Names that stand twice in one object of a JSON text: `JSON.parse` keeps the last of them and says nothing. */
export function repeatedNames(json: string): string[] {
  const repeated: string[] = [];
  const open: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(TOKEN)) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (colon !== undefined) {
      const name = token.slice(1, token.lastIndexOf('"'));
      const names = open.at(-1);
      if (names?.has(name) === true) repeated.push(name);
      names?.add(name);
    }
  }
  return repeated;
}
