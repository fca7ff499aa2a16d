import { InputError } from '@rarefy/core';

const maxShown = 40;

/** Untrusted text for a message: in quotes, truncated, with every character escaped that could control a terminal. */
export function quoted(text: string): string {
  const shown = text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
  return JSON.stringify(shown).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }).join('');
}

/** An untrusted value in a few words, safe to print. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return String(value);
  if (value === '') return 'an empty string';
  if (value.trim() === '') return 'a blank string';
  return quoted(value);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist. Check the path.',
  EISDIR: 'it is a folder. Give the path of a file.',
  ENOTDIR: 'a part of its path is a file, not a folder. Check the path.',
  EEXIST: 'a part of its path is a file, not a folder. Check the path.',
  EACCES: 'permission is denied. Check the owner and mode of the file and its folder.',
  EPERM: 'permission is denied. Check the owner and mode of the file and its folder.',
  EROFS: 'the disk is read-only. Choose another folder.',
  ENOSPC: 'the disk is full. Free some space or choose another disk.',
  EDQUOT: 'the disk quota is used up. Free some space or choose another disk.',
  EFBIG: 'it is larger than the disk allows. Choose another disk.',
  ENAMETOOLONG: 'its name is too long. Choose a shorter one.',
  EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
};

/** An error for a failed file operation that says what to do; the original error is its `cause`. */
export function fileError(action: 'read' | 'write', path: string, cause: unknown): InputError {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const reason = reasons[String(code)] ?? `${String(message ?? cause)}. Check the disk and the path.`;
  return new InputError(`cannot ${action} ${path}: ${reason}`, { cause });
}

/** The result of a file operation. @throws what {@link fileError} makes of its failure. */
export async function orFileError<Value>(
  action: 'read' | 'write',
  path: string,
  operation: Promise<Value>,
): Promise<Value> {
  try {
    return await operation;
  } catch (cause) {
    throw fileError(action, path, cause);
  }
}
