import { InvalidArgumentError } from './errors.js';

/** What a value is, with an article, for messages: `a number`, `an array`, `a promise`, `undefined`. */
export function described(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  return 'then' in value && typeof value.then === 'function' ? 'a promise' : 'an object';
}

/** What {@link checkComponent} says and looks for: the method that every component of the kind has, and a call that makes one. */
const componentKinds = {
  embedder: { name: 'an embedder', method: 'embedBatch', example: 'hashEmbedder()' },
  sampler: { name: 'a sampler', method: 'draw', example: 'uniformSampler(size, { seed })' },
  'density-estimator': { name: 'a density estimator', method: 'fit', example: 'knnDistance()' },
} as const;

/**
 * @param where name of the function, for the message
 * @throws InvalidArgumentError if `component` is not a component of this kind, such as undefined, a promise of one, or a factory.
 */
export function checkComponent(kind: keyof typeof componentKinds, component: unknown, where: string): void {
  const { name, method, example } = componentKinds[kind];
  const given = Object(component) as Readonly<Record<string, unknown>>;
  const { capabilities } = given;
  if (given.kind === kind && typeof given[method] === 'function' && Object(capabilities) === capabilities) return;
  const isOther = typeof given.kind === 'string' && given.kind !== kind;
  const what = isOther ? `a component of kind "${given.kind}"` : described(component);
  const hint = what === 'a function' ? `; call the function that makes one, such as ${example}` : awaitHint(what);
  throw new InvalidArgumentError(`${where} needs ${name}, got ${what}${hint}`);
}

/** {@link checkComponent} for an embedder. */
export function checkEmbedder(embedder: unknown, where: string): void {
  checkComponent('embedder', embedder, where);
}

/**
 * Rejects what is not a list of items. A string is one item, although JavaScript can iterate its letters.
 * @param where name of the function, for the message
 * @throws InvalidArgumentError if `items` is a string, or is neither an iterable nor an async iterable.
 */
export function checkItemList(items: unknown, where: string): void {
  const isList =
    typeof items === 'object' && items !== null && (Symbol.iterator in items || Symbol.asyncIterator in items);
  if (isList) return;
  const what = described(items);
  const hint = what === 'a string' ? '; give an array, such as [text]' : awaitHint(what);
  throw new InvalidArgumentError(`${where} needs a list of items, got ${what}${hint}`);
}

/**
 * Like {@link checkItemList}, for functions that need the number of items or address them by position.
 * @throws InvalidArgumentError if `items` is not an array.
 */
export function checkItemArray(items: unknown, where: string): void {
  checkItemList(items, where);
  if (Array.isArray(items)) return;
  throw new InvalidArgumentError(`${where} needs an array of items, got ${described(items)}; give [...items]`);
}

function awaitHint(what: string): string {
  return what === 'a promise' ? '; did you forget await?' : '';
}

/** The item that an error is about, and how to make the error for another position. */
interface ItemOfError {
  readonly position: number;
  readonly errorAt: (position: number) => Error;
}

const itemsOfErrors = new WeakMap<object, ItemOfError>();

/**
 * An error about one item of a batch, for embedders.
 * @param errorAt makes the error; called again by {@link atPositions} with the position among the caller's items
 */
export function itemError(position: number, errorAt: ItemOfError['errorAt']): Error {
  const error = errorAt(position);
  itemsOfErrors.set(error, { position, errorAt });
  return error;
}

/** Position of the item that an error of `embed`, `embedStream` or an embedder is about; undefined if it is about no single one. */
export function itemOfError(error: unknown): number | undefined {
  return itemsOfErrors.get(Object(error) as object)?.position;
}

/**
 * Checks the items of a batch, for embedders. {@link embedStream} counts the position in the message from its first item.
 * @param problemOf what is wrong with an item, such as `is a number`; undefined if nothing is. Default: refuses all but texts
 * @param expected what an item must be, for the message
 * @throws InvalidArgumentError if `items` is not an array, or for the first wrong item: `item 2 is a number; expected a text`.
 */
export function checkItems(
  items: readonly unknown[],
  problemOf: (item: unknown) => string | undefined = notText,
  expected = 'a text',
): void {
  if (!Array.isArray(items)) throw new InvalidArgumentError(`items must be an array, got ${described(items)}`);
  for (const [position, item] of items.entries()) {
    const problem = problemOf(item);
    if (problem === undefined) continue;
    throw itemError(position, (at) => new InvalidArgumentError(`item ${at} ${problem}; expected ${expected}`));
  }
}

function notText(item: unknown): string | undefined {
  return typeof item === 'string' ? undefined : `is ${described(item)}`;
}

/**
 * Runs a call that takes a part of the caller's items. If it throws an {@link itemError}, as {@link checkItems} does, the error
 * names the position among the caller's items.
 * @param positionOf from the position in the part to that of the caller
 */
export async function atPositions<Result>(
  positionOf: (position: number) => number,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    const item = itemsOfErrors.get(Object(error) as object);
    throw item === undefined ? error : itemError(positionOf(item.position), item.errorAt);
  }
}
