import { resolve } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';

/**
 * @param files the file of each option, before any is read or written
 * @throws InvalidArgumentError when two options name the same file, which writing one would destroy
 */
export function checkDifferentFiles(files: Readonly<Record<string, string | undefined>>): void {
  const optionOf = new Map<string, string>();
  for (const [option, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const other = optionOf.get(resolve(file));
    if (other !== undefined) {
      throw new InvalidArgumentError(`--${other} and --${option} are the same file, ${file}; name another.`);
    }
    optionOf.set(resolve(file), option);
  }
}
