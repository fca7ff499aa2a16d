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

/** One choice of an option that decides which other options apply, such as an estimator of `--estimator`. */
interface Taker {
  /** Names of the options that apply to it. */
  readonly takes: readonly string[];
  /** Of these, the ones that need another option which is not given: that option. */
  readonly lacks?: Readonly<Record<string, string>> | undefined;
}

/**
 * Checks that each given option of the takers applies to one of those chosen.
 * @param what what is chosen, for the message
 * @throws InvalidArgumentError if an option would be ignored.
 */
export function checkApplies(
  given: ReadonlySet<string>,
  what: string,
  takers: Readonly<Record<string, Taker>>,
  chosen: readonly string[],
): void {
  for (const option of new Set(Object.values(takers).flatMap(({ takes }) => takes))) {
    if (!given.has(option)) continue;
    const fitting = chosen.filter((name) => takers[name]?.takes.includes(option));
    const lacks = fitting.map((name) => takers[name]?.lacks?.[option]);
    if (lacks.includes(undefined)) continue;
    if (fitting.length > 0) {
      throw new InvalidArgumentError(`--${option} applies to ${fitting[0]} only with ${lacks[0]}.`);
    }
    const all = Object.keys(takers).filter((name) => takers[name]!.takes.includes(option));
    const is = chosen.length === 1 ? `the ${what} is` : `the ${what}s are`;
    throw new InvalidArgumentError(`--${option} applies only to ${listed(all)}; ${is} ${listed(chosen)}.`);
  }
}

function listed(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
