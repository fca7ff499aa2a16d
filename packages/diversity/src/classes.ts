import { checkFinite, checkInteger, checkOptions, described, InvalidArgumentError, ShapeError } from '@rarefy/core';

/** The class of each answer: equal values are the same class. Numbers or strings, such as a final result or a normalized text. */
export type Labels = ArrayLike<string | number>;

/**
 * Groups items that are equivalent, such as answers that a judge calls the same. Each item joins the first class whose first
 * member is equivalent to it, or starts a class.
 *
 * Trap: a judge is rarely transitive. The result then depends on the order of the items, and only first members are compared. The
 * program that came with the paper moves an item to a later class if it also matches there.
 *
 * Source: algorithm 1 of Kuhn et al., "Semantic uncertainty", ICLR 2023, arXiv 2302.09664.
 * @param equivalent called with the first member of a class and an item; at most n (n - 1) / 2 times
 * @returns the class of each item, numbered from 0 in the order of first members
 */
export function equivalenceClasses<Item>(
  items: readonly Item[],
  equivalent: (first: Item, item: Item) => boolean,
): Int32Array {
  checkList('items', items);
  const firsts: Item[] = [];
  return Int32Array.from(items, (item) => {
    const found = firsts.findIndex((first) => equivalent(first, item));
    return found >= 0 ? found : firsts.push(item) - 1;
  });
}

/** How many items each class has, in the order of first members. For {@link effectiveNumber}. */
export function classCounts(labels: Labels): number[] {
  checkList('labels', labels);
  const counts = new Map<string | number, number>();
  for (const label of Array.from(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts.values()];
}

/**
 * Effective number of classes, or Hill number: how many equally frequent classes would be as diverse. Between 1 and the number of
 * classes with a positive count. Order 0 is that number, order 1 the exponential of Shannon entropy, order 2 is 1 / Σp² (inverse
 * Simpson), and Infinity is 1 / (largest share). NaN if all counts are 0.
 *
 * Trap: with few items, low orders miss classes that exist but were not drawn, so compare equal numbers of items. It treats all
 * classes as equally different; {@link vendiScore} takes similarities into account.
 *
 * Source: Hill, "Diversity and evenness: a unifying notation and its consequences", Ecology 54, 1973.
 * @param counts items of each class, or any weights, ≥ 0
 * @param order in [0, Infinity]; default 1. Larger orders give more weight to frequent classes.
 * @throws InvalidArgumentError if `order` is not a number ≥ 0 or a count is negative; NotFiniteError if a count is NaN or
 *   infinite.
 */
export function effectiveNumber(counts: ArrayLike<number>, order = 1): number {
  checkList('counts', counts);
  checkOrder(order);
  checkFinite(counts, 'count');
  const positive = Array.from(counts).filter((count, index) => {
    if (count < 0) throw new InvalidArgumentError(`count ${count} at position ${index} must be ≥ 0`);
    return count > 0;
  });
  return positive.length === 0 ? Number.NaN : hillNumber(positive, order);
}

/** @throws InvalidArgumentError if `values` is neither an array nor a typed array. A string would count letters. */
export function checkList(name: string, values: unknown): void {
  if (Array.isArray(values) || ArrayBuffer.isView(values)) return;
  throw new InvalidArgumentError(`${name} must be an array, got ${described(values)}`);
}

export function checkOrder(order: number): void {
  if (!(order >= 0)) throw new InvalidArgumentError(`order must be a number ≥ 0, got ${order}`);
}

/** @param weights at least one, all positive */
export function hillNumber(weights: ArrayLike<number>, order: number): number {
  if (order === 1) return Math.exp(entropy(weights));
  const values = Array.from(weights);
  const total = values.reduce((sum, weight) => sum + weight, 0);
  const largest = values.reduce((most, weight) => Math.max(most, weight), 0) / total;
  if (order === Number.POSITIVE_INFINITY) return 1 / largest;
  // Relative to the largest share, so that no power of a share underflows.
  const powers = values.reduce((sum, weight) => sum + (weight / total / largest) ** order, 0);
  return Math.exp((Math.log(powers) + order * Math.log(largest)) / (1 - order));
}

/** Shannon entropy in nats of positive weights, which need not sum to 1. */
export function entropy(weights: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < weights.length; index++) total += weights[index]!;
  let sum = 0;
  for (let index = 0; index < weights.length; index++) {
    const share = weights[index]! / total;
    sum -= share * Math.log(share);
  }
  return Math.max(0, sum); // not -0 or a rounding error below 0
}

/**
 * Semantic entropy: Shannon entropy, in nats, of the classes of meaning of the answers to one prompt. Between 0 and the logarithm
 * of the number of classes. Without log-probabilities, the probability of a class is its share of the answers (discrete semantic
 * entropy); with them, the sum of the probabilities of its answers, divided by that of all answers. NaN without answers.
 *
 * Trap: it is as good as the judge that made the classes, and at most log(number of answers), so compare equal numbers of
 * answers. With log-probabilities, equal answers count as often as they were drawn, and the answers' probability depends on their
 * length; the program that came with the paper takes the mean log-probability per token instead. A wrong answer is a class as
 * good as any other.
 *
 * Source: Farquhar et al., "Detecting hallucinations in large language models using semantic entropy", Nature 630, 2024.
 * @param labels class of each answer, such as from {@link equivalenceClasses}
 * @param logProbabilities of each answer, in nats
 * @throws ShapeError if the lengths differ; NotFiniteError if a log-probability is NaN or infinite.
 */
export function semanticEntropy(labels: Labels, logProbabilities?: ArrayLike<number>): number {
  checkList('labels', labels);
  if (labels.length === 0) return Number.NaN;
  if (logProbabilities === undefined) return entropy(classCounts(labels));
  checkLength(logProbabilities, labels, 'log-probabilities');
  checkFinite(logProbabilities, 'log-probability');
  const values = Array.from(logProbabilities);
  const largest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const masses = new Map<string | number, number>();
  values.forEach((value, index) => {
    const label = labels[index]!;
    masses.set(label, (masses.get(label) ?? 0) + Math.exp(value - largest));
  });
  return entropy([...masses.values()].filter((mass) => mass > 0));
}

/**
 * Expected number of distinct classes among `k` of the answers, drawn without replacement: Σ over classes of 1 - C(n - c, k) /
 * C(n, k), where n is the number of answers and c that of the class. With `good`, only good answers count, so it is the expected
 * number of **distinct good answers** in k tries, the metric to decide by: neither garbled nor repeated answers raise it. Between
 * 0 and k. It is an unbiased estimate of the same number for k fresh answers to the prompt.
 *
 * With one class it is {@link passAtK}. Over the words of a text, with k = 42 and divided by 42, it is the HD-D of McCarthy and
 * Jarvis (2007). Compute it per prompt, then take the mean over prompts.
 *
 * Trap: it needs a rule or judge for `good` and for classes. Use the same k for all arms.
 *
 * Source: Hurlbert, "The nonconcept of species diversity", Ecology 52, 1971 (rarefaction); without `good` and at k = n,
 * distinct_k of Zhang et al., "NoveltyBench", COLM 2025, arXiv 2504.05228.
 * @param labels class of each answer to one prompt
 * @param k in [1, number of answers]
 * @param good whether each answer counts; default: all do
 * @throws InvalidArgumentError if `k` is not such an integer; ShapeError if the lengths differ.
 */
export function expectedDistinct(labels: Labels, k: number, good?: ArrayLike<boolean>): number {
  checkList('labels', labels);
  const n = labels.length;
  checkInteger('k', k, 1, n);
  if (good !== undefined) checkLength(good, labels, 'values of good');
  const counted = good === undefined ? labels : Array.from(labels).filter((_, index) => good[index]);
  let expected = 0;
  for (const count of classCounts(counted)) {
    let missed = 1; // C(n - count, k) / C(n, k); 0 as soon as j is k
    for (let j = n - count + 1; j <= n; j++) missed *= 1 - k / j;
    expected += 1 - missed;
  }
  return expected;
}

/**
 * pass@k: the probability that at least one of `k` answers is good, 1 - C(n - c, k) / C(n, k) for c good ones of n. In [0, 1],
 * unbiased.
 *
 * Trap: at large k it measures coverage, not quality: one lucky answer is enough. 1 - (1 - c / n)^k is biased. It does not
 * distinguish k equal good answers from k different ones; {@link expectedDistinct} does.
 *
 * Source: Chen et al., "Evaluating large language models trained on code", arXiv 2107.03374.
 * @param good whether each answer to one prompt is good
 * @param k in [1, number of answers]
 * @throws InvalidArgumentError if `k` is not such an integer.
 */
export function passAtK(good: ArrayLike<boolean>, k: number): number {
  checkList('good', good);
  return expectedDistinct(new Int32Array(good.length), k, good);
}

export interface NoveltyUtilityOptions {
  /** Probability that a user asks for one more answer, in (0, 1]; default 0.8. */
  readonly patience?: number;
}

/**
 * Utility of a sequence of answers for a user who may stop after each: Σ patience^i uᵢ / Σ patience^i, where uᵢ is the utility of
 * answer i if no earlier answer has its class, and 0 otherwise. Between the smallest utility (or 0) and the largest. NaN without
 * answers. Order matters.
 *
 * Trap: the first answers dominate (with 0.8, the first three of ten have 55 % of the weight), so a better first answer looks
 * like diversity. Report {@link expectedDistinct} beside it.
 *
 * Source: utility_k of Zhang et al., "NoveltyBench", COLM 2025, arXiv 2504.05228.
 * @param labels class of each answer, in the order in which the user sees them
 * @param utilities of each answer
 * @throws InvalidArgumentError if an option is unknown or `patience` is out of range; ShapeError if the lengths differ;
 *   NotFiniteError if a utility is NaN or infinite.
 */
export function noveltyUtility(
  labels: Labels,
  utilities: ArrayLike<number>,
  options: NoveltyUtilityOptions = {},
): number {
  checkOptions(options, ['patience'] satisfies (keyof NoveltyUtilityOptions)[], 'noveltyUtility');
  const { patience = 0.8 } = options;
  if (!(patience > 0 && patience <= 1)) {
    throw new InvalidArgumentError(`patience must be a number in (0, 1], got ${patience}`);
  }
  checkList('labels', labels);
  checkList('utilities', utilities);
  checkLength(utilities, labels, 'utilities');
  checkFinite(utilities, 'utility');
  const seen = new Set<string | number>();
  let sum = 0;
  let total = 0;
  for (let index = 0, weight = 1; index < labels.length; index++, weight *= patience) {
    const label = labels[index]!;
    if (!seen.has(label)) sum += weight * utilities[index]!;
    seen.add(label);
    total += weight;
  }
  return sum / total;
}

function checkLength(values: ArrayLike<unknown>, labels: Labels, name: string): void {
  if (values.length === labels.length) return;
  throw new ShapeError(`got ${values.length} ${name} and ${labels.length} labels; give one of each per answer`);
}
