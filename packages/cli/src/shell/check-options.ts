import { resolve } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';

/**
 * Checks that no option names the file of another one, which would be overwritten.
 * @param files the file of each option by the option's name
 * @throws InvalidArgumentError if two options name the same file.
 */
export function checkDifferentFiles(files: Readonly<Record<string, string | undefined>>): void {
  const optionOf = new Map<string, string>();
  for (const [option, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const other = optionOf.get(resolve(file));
    if (other !== undefined) {
      throw new InvalidArgumentError(`--${other} and --${option} are the same file, ${file}; choose another one.`);
    }
    optionOf.set(resolve(file), option);
  }
}

/** @throws InvalidArgumentError if an option is given together with one that it excludes, with the reason. */
export function checkExclusive(
  given: ReadonlySet<string>,
  option: string,
  excluded: readonly string[],
  reason: string,
): void {
  const other = given.has(option) ? excluded.find((name) => given.has(name)) : undefined;
  if (other !== undefined) {
    throw new InvalidArgumentError(`--${option} and --${other} exclude each other: ${reason}; drop one of them.`);
  }
}
