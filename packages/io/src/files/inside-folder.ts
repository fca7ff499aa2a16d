import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError } from '@rarefy/core';
import { quoted } from '../text/quoted.js';
import { fileError } from './file-error.js';

const maxPartBytes = 255; // what file systems allow
const maxParts = 32;
const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i; // Windows opens these as devices, whatever the folder

/**
 * A name that a manifest or an archive gives, checked before it is used as a path: parts of letters, digits and the like with `/`
 * between them. Refused are `..` and `.`, absolute and drive paths, backslashes, colons, control characters and NUL, parts that end
 * in a dot or a blank or are over 255 bytes, names of devices, and what is no text.
 * @param where how the error names the file that gave the name
 * @throws CorruptFileError saying what is wrong with the name.
 */
export function checkName(name: unknown, where: string): asserts name is string {
  const problem = typeof name === 'string' ? nameProblem(name) : `it is of type ${typeof name}`;
  if (problem === undefined) return;
  const shown = typeof name === 'string' ? `${quoted(name)} ` : '';
  throw new CorruptFileError(
    `${where} names a file ${shown}that may not be used: ${problem}. Nothing was read from it.`,
  );
}

/**
 * The path of such a name in a folder, which no part of it leaves: not by its text, and not through a symbolic link below the
 * folder. What does not exist yet is allowed. Whoever can write to the folder meanwhile can still put a link there.
 * @param where how the error names the file that gave the name; default the folder
 * @throws what {@link checkName} throws; CorruptFileError for a symbolic link; InputError when the folder cannot be looked at.
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it holds a control character';
  if (name.includes('\\')) return 'it holds a backslash';
  if (name.includes(':')) return 'it holds a colon';
  if (name.startsWith('/')) return 'it is absolute';
  const parts = name.split('/');
  if (parts.length > maxParts) return `it has more than ${maxParts} parts`;
  for (const part of parts) {
    if (part === '') return 'a part of it is empty';
    if (part === '.' || part === '..') return `a part of it is ${part}`;
    if (part.endsWith('.') || part.endsWith(' ')) return 'a part of it ends in a dot or a blank';
    if (Buffer.byteLength(part) > maxPartBytes) return `a part of it is over ${maxPartBytes} bytes`;
    if (devices.test(part)) return 'a part of it is the name of a device';
  }
  return undefined;
}
