import {
  type CallOptions,
  counterRandom,
  described,
  digest,
  InvalidArgumentError,
  shown,
  timeSlices,
  warn,
} from '@rarefy/core';
import type { Pair, PromptRecord } from '@rarefy/data';
import type { ChatFormat, ChatPrompt } from '@rarefy/tokenizers';

/**
 * A prompt with a better and a worse answer, and by how much it is better. The prompt is a text, or the turns before the answer.
 */
export type PreferencePair = Pick<Pair, 'chosen' | 'rejected' | 'margin'> & { readonly prompt: ChatPrompt };

/** The token rows of a pair. */
export interface PairRows {
  /** Position of the pair in the list that it comes from. */
  readonly position: number;
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
  readonly margin: number;
}

/** Pairs that fit, and the number of those that do not. */
export interface FittingPairs {
  readonly rows: readonly PairRows[];
  readonly tooLong: number;
}

/**
 * Tokenizes pairs and leaves out those with a row of more than `maxLength` tokens, with the warning `pairs-too-long`.
 * @param what names the pairs in messages
 * @throws InvalidArgumentError if `pairs` is not a list of pairs, or a margin is not finite.
 */
export async function fittingPairs(
  format: ChatFormat,
  pairs: readonly PreferencePair[],
  { maxLength, what, task, signal, onEvent }: CallOptions & { maxLength: number; what: string; task: string },
): Promise<FittingPairs> {
  const slices = timeSlices(signal);
  const rows: PairRows[] = [];
  for (const [position, { prompt, chosen, rejected, margin = 0 }] of pairs.entries()) {
    if (!Number.isFinite(margin)) {
      throw new InvalidArgumentError(`the margin of pair ${position} must be a finite number, got ${shown(margin)}`);
    }
    const row = {
      position,
      chosen: format.conversation(prompt, chosen).ids,
      rejected: format.conversation(prompt, rejected).ids,
      margin,
    };
    if (Math.max(row.chosen.length, row.rejected.length) <= maxLength) rows.push(row);
    if (slices.due()) await slices.pause();
  }
  const tooLong = pairs.length - rows.length;
  if (tooLong > 0) {
    const share = ((100 * rows.length) / pairs.length).toFixed(1);
    const message = `${rows.length} of ${pairs.length} ${what} (${share} %) fit in ${maxLength} tokens; the others are left out`;
    warn(onEvent, { task, code: 'pairs-too-long', message });
  }
  return { rows, tooLong };
}

/** Digest of all rows, their positions and margins. */
export function digestOfRows(rows: readonly PairRows[]): string {
  const chained = (chain: string, { position, chosen, rejected, margin }: PairRows) =>
    digest(rejected, digest(chosen, digest([position, margin], chain)));
  return rows.reduce(chained, '0'.repeat(16));
}

/** Pairs to train on and pairs to evaluate on, each in their order. */
export interface SplitPairs<Kind> {
  readonly train: readonly Kind[];
  readonly heldOut: readonly Kind[];
}

/**
 * Holds out a share of the prompts with all their pairs, so that no prompt is on both sides. The order of the pairs does not
 * matter, and prompts that are added later move few others. Deterministic for a seed.
 * @param share of the distinct prompts, in (0, 1); rounded to whole prompts, at least one on each side
 * @throws InvalidArgumentError if `share` is not in (0, 1), or the pairs have fewer than 2 distinct prompts.
 */
export function splitPairs<Kind extends PreferencePair>(
  pairs: readonly Kind[],
  share: number,
  seed = 0,
): SplitPairs<Kind> {
  const isHeldOut = heldOutTest(pairs, share, seed);
  return { train: pairs.filter((pair) => !isHeldOut(pair)), heldOut: pairs.filter(isHeldOut) };
}

/** Tells held-out pairs: those of the prompts with the smallest random numbers, which depend on the seed and the text alone. */
export function heldOutTest(
  pairs: readonly PreferencePair[],
  share: number,
  seed: number,
): (pair: PreferencePair) => boolean {
  if (!(typeof share === 'number' && share > 0 && share < 1)) {
    throw new InvalidArgumentError(`share must be > 0 and < 1, got ${shown(share)}`);
  }
  const random = counterRandom(seed);
  const encoder = new TextEncoder();
  const textOf = ({ prompt }: PreferencePair) => (typeof prompt === 'string' ? prompt : JSON.stringify(prompt));
  const numbers = [...new Set(pairs.map(textOf))].map((prompt) => {
    const key = Number.parseInt(digest(encoder.encode(prompt)).slice(0, 13), 16);
    return { prompt, number: random.uniform(key) };
  });
  if (numbers.length < 2) {
    throw new InvalidArgumentError(`holding out pairs needs at least 2 distinct prompts, got ${numbers.length}`);
  }
  numbers.sort((a, b) => a.number - b.number || (a.prompt < b.prompt ? -1 : 1));
  const count = Math.min(numbers.length - 1, Math.max(1, Math.round(share * numbers.length)));
  const held = new Set(numbers.slice(0, count).map(({ prompt }) => prompt));
  return (pair) => held.has(textOf(pair));
}

/** @throws InvalidArgumentError if `pairs` is not an array. */
export function checkPairs(pairs: unknown, where: string): void {
  if (Array.isArray(pairs)) return;
  throw new InvalidArgumentError(`${where} needs an array of pairs, got ${described(pairs)}`);
}

/**
 * The weights of pairs from those of their distinct prompts: a prompt is drawn in proportion to its weight, and then each of its
 * pairs is equally likely.
 * @param prompts all distinct prompts of the pairs, as `uniquePrompts` counts them
 * @param weights one per prompt
 */
export function pairWeights(
  pairs: readonly Pick<Pair, 'prompt'>[],
  prompts: readonly Pick<PromptRecord, 'prompt' | 'count'>[],
  weights: Float64Array,
): Float64Array {
  const shareOf = new Map(prompts.map(({ prompt, count }, position) => [prompt, weights[position]! / count]));
  return Float64Array.from(pairs, ({ prompt }) => shareOf.get(prompt)!);
}
