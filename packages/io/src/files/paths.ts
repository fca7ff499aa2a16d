import { access, lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError } from '@rarefy/core';
import { fileError, quoted } from '../messages.js';

/** Whether there is a file or folder at `path` that this process can see. */
export function fileExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether both paths lead to the same existing file, by any name or link. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => realpath(path).catch(() => undefined)));
  return first !== undefined && first === second;
}

const maxPartBytes = 255; // the limit of common file systems
const maxParts = 32;
const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i; // Windows opens these as devices, whatever the folder

/**
 * Checks an untrusted file name from a manifest or an archive before it is used as a path. The name may have folders, separated by
 * `/`. Rejected are `..` and `.`, absolute and drive paths, backslashes, colons, control characters, parts that end in a dot or a
 * space or are longer than 255 bytes, names of Windows devices, and values that are not strings.
 * @param where names the file that contains the name, for the message
 * @throws CorruptFileError that says what is wrong with the name.
 */
export function checkName(name: unknown, where: string): asserts name is string {
  const problem = typeof name === 'string' ? nameProblem(name) : `it is of type ${typeof name}`;
  if (problem === undefined) return;
  const shown = typeof name === 'string' ? `${quoted(name)} ` : '';
  throw new CorruptFileError(
    `${where} names a file ${shown}that is not allowed: ${problem}. Nothing was read from it.`,
  );
}

/**
 * The path of an untrusted name inside a folder. Neither the name nor a symbolic link below the folder can lead outside of it; the
 * file need not exist. A process that can write to the folder could still create a link after the check.
 * @param where names the file that contains the name, for the message; default: the folder
 * @throws what {@link checkName} throws; CorruptFileError for a symbolic link; InputError if the folder cannot be read.
 */
export async function insideFolder(root: string, name: unknown, where = root): Promise<string> {
  checkName(name, where);
  let path = root;
  for (const part of name.split('/')) {
    path = join(path, part);
    try {
      if ((await lstat(path)).isSymbolicLink()) {
        throw new CorruptFileError(
          `${where} names ${quoted(name)}, and ${path} is a symbolic link. Nothing was read from it.`,
        );
      }
    } catch (error) {
      if (CorruptFileError.isInstance(error)) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') break;
      throw fileError('read', path, error);
    }
  }
  return join(root, name);
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it contains a control character';
  if (name.includes('\\')) return 'it contains a backslash';
  if (name.includes(':')) return 'it contains a colon';
  if (name.startsWith('/')) return 'it is absolute';
  const parts = name.split('/');
  if (parts.length > maxParts) return `it has more than ${maxParts} parts`;
  for (const part of parts) {
    if (part === '') return 'a part of it is empty';
    if (part === '.' || part === '..') return `a part of it is ${part}`;
    if (part.endsWith('.') || part.endsWith(' ')) return 'a part of it ends in a dot or a space';
    if (Buffer.byteLength(part) > maxPartBytes) return `a part of it is longer than ${maxPartBytes} bytes`;
    if (devices.test(part)) return 'a part of it is the name of a device';
  }
  return undefined;
}
