import { callOptionNames, checkOptions, described, InvalidArgumentError, type ProjectOptions } from '@rarefy/core';

const names = ['dimensions', 'neighbors', ...callOptionNames] satisfies (keyof ProjectOptions)[];

/**
 * The options of a call of `project`.
 * @throws InvalidArgumentError if one is unknown, or if `dimensions` is not 2 or 3.
 */
export function projectOptions(options: ProjectOptions, where: string): ProjectOptions {
  checkOptions(options, names, `project of ${where}`);
  const dimensions: unknown = options?.dimensions;
  if (dimensions === 2 || dimensions === 3) return options;
  const seen = typeof dimensions === 'number' ? String(dimensions) : described(dimensions);
  throw new InvalidArgumentError(`dimensions must be 2 or 3, got ${seen}`);
}
