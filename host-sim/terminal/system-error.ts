/** An error of the operating system as Node throws it: a file that cannot be made, a full disk, too many open files. */
export interface SystemError {
  readonly message: string;
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
}

export function isSystemError(error: unknown): error is SystemError {
  if (typeof error !== 'object' || error === null) return false;
  const { message, code, syscall } = error as Partial<SystemError>;
  return typeof message === 'string' && typeof code === 'string' && typeof syscall === 'string';
}

/** What a person can do about it, by errno name (POSIX, `man errno`). */
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'this user may not do that there: choose another place, or change its rights',
  EDQUOT: "this user's share of the disk is used up: make room, or choose another place",
  EEXIST: 'something else has that name: choose another, or move it away',
  EISDIR: 'a folder stands where a file is needed: choose another name',
  ELOOP: 'links that lead in a circle: choose another path',
  EMFILE: 'too many files are open: raise the limit (ulimit -n), or run less at a time',
  ENAMETOOLONG: 'choose a shorter name',
  ENFILE: 'too many files are open on this machine: end other programs',
  ENOENT: 'check the path: a folder of it, or the file, does not exist',
  ENOMEM: 'not enough memory: end other programs, or run less at a time',
  ENOSPC: 'the disk is full: make room, or choose another place',
  ENOTDIR: 'a file stands where a folder is needed: choose another path',
  EPERM: 'this user may not do that: choose another place, or change its rights',
  EROFS: 'nothing can be written there: choose another place',
};

/** Of codes that are not listed. */
const OTHER_REMEDY = 'check the path, its rights and the disk';

/** The error without a stack, and what to do about it. */
export function explainSystemError({ code, syscall, path, message }: SystemError): { readonly message: string; readonly remedy: string } {
  // Node's text is "ENOTDIR: not a directory, mkdir '/a/b'".
  const reason = /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1];
  const what = path === undefined ? syscall : `${syscall} ${path}`;
  return { message: reason === undefined ? message : `cannot ${what}: ${reason}`, remedy: REMEDIES[code] ?? OTHER_REMEDY };
}
