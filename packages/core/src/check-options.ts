import { described } from './check-items.js';
import { shown } from './checks.js';
import { InvalidArgumentError } from './errors.js';

/** Names of {@link CallOptions}, for `checkOptions` in functions whose options extend them. */
export const callOptionNames = ['signal', 'onEvent'] as const;

/**
 * Rejects options whose name is not in `known`, which JavaScript would otherwise ignore. An option whose value is undefined counts
 * as absent. Also checks the types of `signal` and `onEvent`.
 * @param known all option names
 * @param where name of the function, for the message
 * @returns `options`, or an empty object if it is undefined, so that the check of each required option names it
 * @throws InvalidArgumentError if `options` is neither undefined nor an object, or is an array; if it has an unknown name; if
 * `signal`
 *   is not an AbortSignal or `onEvent` not a function. The message suggests the nearest known name, or lists all of them if none is
 *   near: `umap has no option "neighbour"; did you mean "neighbors"?`.
 */
export function checkOptions<Options extends object>(
  options: Options | undefined,
  known: readonly string[],
  where: string,
): Options {
  if (options === undefined) return {} as Options;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(`the options of ${where} must be an object, got ${shown(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    const near = nearestName(name, known);
    const hint = near === undefined ? `it has ${listed(known)}` : `did you mean "${near}"?`;
    throw new InvalidArgumentError(`${where} has no option "${name}"; ${hint}`);
  }
  const { signal, onEvent } = options as { readonly signal?: unknown; readonly onEvent?: unknown };
  if (signal !== undefined && typeof Object(signal).throwIfAborted !== 'function') {
    const hint = Object(Object(signal).signal) === Object(signal).signal ? '; give its `signal`' : '';
    throw new InvalidArgumentError(`signal must be an AbortSignal, got ${described(signal)}${hint}`);
  }
  if (onEvent !== undefined && typeof onEvent !== 'function') {
    throw new InvalidArgumentError(`onEvent must be a function, got ${shown(onEvent)}`);
  }
  return options;
}

function listed(known: readonly string[]): string {
  return known.length === 0 ? 'no options' : `the options ${known.map((name) => `"${name}"`).join(', ')}`;
}

/**
 * The known name with the fewest edits, if those are at most a third of the longer name's letters. Ignores upper and lower case.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits >= fewest || edits > Math.max(name.length, candidate.length) / 3) continue;
    nearest = candidate;
    fewest = edits;
  }
  return nearest;
}

/**
 * Number of edits that turn one text into the other: insert, delete or replace a letter, or swap two neighboring ones (optimal
 * string alignment distance).
 */
function editDistance(from: string, to: string): number {
  // row[column]: edits from the letters read so far to to.slice(0, column)
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = row[column]! + (from[index] === to[column] ? 0 : 1);
      const isSwap = from[index] === to[column - 1] && from[index - 1] === to[column] && index > 0 && column > 0;
      const swapped = isSwap ? before[column - 1]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replaced, swapped, row[column + 1]! + 1, next[column]! + 1));
    }
    before = row;
    row = next;
  }
  return row[to.length]!;
}
