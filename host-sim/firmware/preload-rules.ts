/**
 * What a preloaded module must not do, looked for in its syntax tree: the SDK's linker runs it on the laptop and writes the heap that it
 * leaves to flash. The tree is Babel's.
 */

/** A node of the tree, as far as it is looked at. */
export interface SyntaxNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface PreloadFinding {
  readonly rule: 'regexp' | 'generator' | 'native-call' | 'late-assignment' | 'flash-path';
  readonly message: string;
}

interface Place {
  /** What each function around binds, the module first. */
  readonly scopes: readonly Scope[];
  /** Whether this code runs as the module loads. */
  readonly atLoad: boolean;
}

interface Scope {
  readonly names: ReadonlySet<string>;
  /** Its variables lie in flash afterwards. */
  readonly isLoaded: boolean;
}

type Report = (rule: PreloadFinding['rule'], node: SyntaxNode, what: string) => void;

/** What esbuild wraps around a CommonJS package: the functions that it is given run as the module loads. */
const LOADERS = /^__(commonJS|esm)\w*$/;
/** The only partition that JavaScript opens. */
const DURABLE_PARTITION = 'latchkey';

/**
 * No RegExp at load, no generator, no native called at load (`native(…)` outside a function), and no assignment to a variable of the module
 * from code that runs later: it is a constant by then.
 */
export function checkPreload(program: SyntaxNode): PreloadFinding[] {
  const findings: PreloadFinding[] = [];
  const loaded = new Set<SyntaxNode>();
  visit(program, (node) => void functionsRunBy(node).forEach((run) => loaded.add(run)));
  const report: Report = (rule, node, what) => void findings.push({ rule, message: `${what} at line ${lineOf(node)}` });
  walk(program, { scopes: [{ names: boundNames(program), isLoaded: true }], atLoad: true }, loaded, report);
  return findings;
}

/**
 * `flash.open` takes no path but that of the durable data, written out or by a constant: a name from anywhere could be another partition's.
 */
export function checkFlashPaths(program: SyntaxNode): PreloadFinding[] {
  const findings: PreloadFinding[] = [];
  const constants = new Map<string, unknown>();
  visit(program, (node) => {
    const value = node.type === 'VariableDeclarator' ? nodeOf(node.init) : undefined;
    if (value?.type !== 'StringLiteral') return;
    const name = nameOf(node.id) ?? '';
    // Declared twice, in whatever scope: not to be told apart here.
    constants.set(name, constants.has(name) ? undefined : value.value);
  });
  visit(program, (node) => {
    const callee = node.type === 'CallExpression' ? nodeOf(node.callee) : undefined;
    if (callee?.type !== 'MemberExpression' || nameOf(callee.property) !== 'open' || !/^flash\d*$/.test(nameOf(callee.object) ?? '')) return;
    const property = nodesOf(nodesOf(node.arguments)[0]?.properties).find(({ key }) => nameOf(key) === 'path');
    const path = nodeOf(property?.value);
    const text = path?.type === 'StringLiteral' ? path.value : constants.get(nameOf(path) ?? '');
    if (text !== DURABLE_PARTITION) findings.push({ rule: 'flash-path', message: `flash.open at line ${lineOf(node)}` });
  });
  return findings;
}

function walk(node: SyntaxNode, place: Place, loaded: ReadonlySet<SyntaxNode>, report: Report): void {
  checkNode(node, place, report);
  for (const child of childrenOf(node)) {
    if (isFunction(child)) {
      const atLoad = place.atLoad && loaded.has(child);
      walk(child, { scopes: [...place.scopes, { names: boundNames(child), isLoaded: atLoad }], atLoad }, loaded, report);
    } else {
      // The value of an instance's field is computed at each construction.
      const isLate = isInstanceField(node) && child === node.value;
      walk(child, isLate ? { ...place, atLoad: false } : place, loaded, report);
    }
  }
}

function checkNode(node: SyntaxNode, { scopes, atLoad }: Place, report: Report): void {
  if (isFunction(node) && node.generator === true) report('generator', node, 'a generator');
  if (atLoad && (node.type === 'RegExpLiteral' || (node.type === 'NewExpression' && nameOf(node.callee) === 'RegExp'))) report('regexp', node, 'a RegExp');
  if (atLoad && node.type === 'CallExpression' && nameOf(node.callee) === 'native') report('native-call', node, 'a native called');
  if (atLoad) return;
  for (const name of assignedNames(node)) {
    const owner = scopes.findLast(({ names }) => names.has(name));
    if (owner?.isLoaded === true) report('late-assignment', node, `${name} assigned`);
  }
}

/** Functions that run where they stand: `(() => { … })()`, and those given to a loader. */
function functionsRunBy(node: SyntaxNode): SyntaxNode[] {
  if (node.type !== 'CallExpression') return [];
  const callee = nodeOf(node.callee);
  if (callee !== undefined && isFunction(callee)) return [callee];
  if (!LOADERS.test(nameOf(callee) ?? '')) return [];
  return nodesOf(node.arguments).flatMap((argument) => nodesOf(argument.properties)).flatMap((property) => [property, ...nodesOf([property.value])]).filter(isFunction);
}

function isFunction({ type }: SyntaxNode): boolean {
  return /Function|^ObjectMethod$|^Class(Private)?Method$/.test(type) && type !== 'FunctionTypeAnnotation';
}

function isInstanceField({ type, static: isStatic }: SyntaxNode): boolean {
  return (type === 'ClassProperty' || type === 'ClassPrivateProperty') && isStatic !== true;
}

/** Names that a module or function binds, without those of the functions in it; blocks count as part of it. */
function boundNames(scope: SyntaxNode): Set<string> {
  const names = new Set<string>();
  const add = (pattern: SyntaxNode | undefined): void => patternNames(pattern).forEach((name) => names.add(name));
  const look = (node: SyntaxNode): void => {
    if (node.type === 'VariableDeclarator' || node.type === 'ClassDeclaration' || node.type === 'FunctionDeclaration') add(nodeOf(node.id));
    if (node.type === 'CatchClause') add(nodeOf(node.param));
    for (const child of childrenOf(node)) {
      if (!isFunction(child)) look(child);
      else if (child.type === 'FunctionDeclaration') add(nodeOf(child.id));
    }
  };
  nodesOf(scope.params).forEach(add);
  look(scope.type === 'File' ? nodeOf(scope.program)! : scope);
  return names;
}

function assignedNames(node: SyntaxNode): string[] {
  if (node.type === 'AssignmentExpression') return patternNames(nodeOf(node.left));
  return node.type === 'UpdateExpression' ? patternNames(nodeOf(node.argument)) : [];
}

/** `a`, `{ a, b: [c] }`, `a = 1`, `...a`; a member (`a.b`) binds nothing. */
function patternNames(pattern: SyntaxNode | undefined): string[] {
  switch (pattern?.type) {
    case 'Identifier':
      return [String(pattern.name)];
    case 'ObjectPattern':
      return nodesOf(pattern.properties).flatMap((property) => patternNames(nodeOf(property.value) ?? property));
    case 'ArrayPattern':
      return nodesOf(pattern.elements).flatMap(patternNames);
    case 'AssignmentPattern':
      return patternNames(nodeOf(pattern.left));
    case 'RestElement':
      return patternNames(nodeOf(pattern.argument));
    default:
      return [];
  }
}

function visit(node: SyntaxNode, look: (node: SyntaxNode) => void): void {
  look(node);
  for (const child of childrenOf(node)) visit(child, look);
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  return Object.entries(node).flatMap(([field, value]) => (field === 'loc' || field.endsWith('Comments') || field === 'comments' ? [] : Array.isArray(value) ? nodesOf(value) : nodesOf([value])));
}

function nodeOf(value: unknown): SyntaxNode | undefined {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' ? (value as SyntaxNode) : undefined;
}

function nodesOf(value: unknown): SyntaxNode[] {
  return Array.isArray(value) ? value.flatMap((item) => nodeOf(item) ?? []) : [];
}

function nameOf(value: unknown): string | undefined {
  const node = nodeOf(value);
  return node?.type === 'Identifier' ? String(node.name) : undefined;
}

function lineOf({ loc }: SyntaxNode): number {
  return (loc as { readonly start: { readonly line: number } } | undefined)?.start.line ?? 0;
}
