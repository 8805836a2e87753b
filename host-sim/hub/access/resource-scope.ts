/** A resource: a host, compared without case, and path segments, compared with case. */
export interface Resource {
  readonly host: string;
  readonly segments: readonly string[];
}

/** @param text the decoded `sr` of a token: `host/devices/id`, no scheme, no leading slash */
export function parseResource(text: string): Resource {
  const [host = '', ...segments] = text.split('/');
  return { host, segments };
}

/** Whether `scope` is `resource` or lies above it, segment by segment: `/a/b` covers `/a/b/c` and not `/a/bc`. */
export function covers(scope: Resource, resource: Resource): boolean {
  if (scope.host.toLowerCase() !== resource.host.toLowerCase()) return false;
  if (scope.segments.length > resource.segments.length) return false;
  return scope.segments.every((segment, index) => segment === resource.segments[index]);
}
