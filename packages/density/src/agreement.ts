import { checkFinite, type DensityEstimator, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { rarestPositions } from './numeric/lowest-positions.js';
import { checkWeights, maximum } from './weighting/weights.js';

/** One of two ways to weigh the same rows: densities, weights or both, with one value per row. */
export interface WeighedRows {
  /** Ranks the rows: the lowest density is the rarest. Default: ranked by weight, the largest being the rarest. */
  readonly density?: Float64Array | undefined;
  readonly weights?: Float64Array | undefined;
}

/** How far two ways to weigh the same rows agree. */
export interface AgreementReport {
  readonly rows: number;
  /** Rank correlation; undefined if all rows of one side are equal. */
  readonly spearman: number | undefined;
  /** Share of one side's rarest 1 % of rows (rounded up, ties by position) that are among the other's; 0.01 by chance. */
  readonly rarest1Overlap: number;
  /** The same for the rarest 10 %. */
  readonly rarest10Overlap: number;
  /**
   * Total variation distance of the draw probabilities, in [0, 1]: the share of draws that differ. Undefined if one side has no
   * weights.
   */
  readonly totalVariation: number | undefined;
}

/**
 * Compares two densities, or two weightings, of the same rows: different estimators, different options, or an exact and an
 * approximate neighbor graph, which shows what the recall of the graph means for the draws.
 * @throws ShapeError if lengths differ or are 0; InvalidArgumentError if a side has neither density nor weights; NotFiniteError
 * or InvalidWeightsError naming the first invalid value.
 */
export function agreementReport(one: WeighedRows, other: WeighedRows): AgreementReport {
  const [ranking, otherRanking] = [rankingOf(one), rankingOf(other)];
  const lengths = [one.density, one.weights, other.density, other.weights].flatMap((list) => list?.length ?? []);
  const rows = ranking.length;
  if (lengths.some((length) => length !== rows)) {
    throw new ShapeError(`the two sides have ${lengths.join(', ')} values; give one value per row, of the same rows`);
  }
  if (rows === 0) throw new ShapeError('there are no rows to compare; give at least one');
  const overlap = (share: number) => {
    const rarest = rarestPositions(ranking, share);
    const otherRarest = new Set(rarestPositions(otherRanking, share));
    return rarest.reduce((found, row) => found + (otherRarest.has(row) ? 1 : 0), 0) / rarest.length;
  };
  const hasWeights = one.weights !== undefined && other.weights !== undefined;
  return {
    rows,
    spearman: spearman(ranking, otherRanking),
    rarest1Overlap: overlap(0.01),
    rarest10Overlap: overlap(0.1),
    totalVariation: hasWeights ? totalVariation(one.weights, other.weights) : undefined,
  };
}

/** One number per row; lower is rarer. */
function rankingOf({ density, weights }: WeighedRows): Float64Array {
  if (density) return density;
  if (weights) return weights.map((weight) => -weight);
  throw new InvalidArgumentError('one side has neither density nor weights; give at least one of them');
}

function totalVariation(weights: Float64Array, others: Float64Array): number {
  const [shares, otherShares] = [probabilities(weights), probabilities(others)];
  return shares.reduce((sum, share, row) => sum + Math.max(0, share - otherShares[row]!), 0);
}

/** Divided by the largest first, so that no sum overflows. */
function probabilities(weights: Float64Array): Float64Array {
  checkWeights(weights);
  const largest = maximum(weights);
  const scaled = weights.map((weight) => weight / largest);
  const total = scaled.reduce((sum, weight) => sum + weight, 0);
  return scaled.map((weight) => weight / total);
}

/**
 * Spearman's rank correlation, in [-1, 1]: Pearson's correlation of the ranks, where equal values share their mean rank.
 * Undefined if all values of one side are equal, or there are none.
 * @throws ShapeError if the lengths differ; NotFiniteError naming the first value that is not finite.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  if (a.length !== b.length)
    throw new ShapeError(`spearman needs two arrays of one length, got ${a.length} and ${b.length}`);
  const [ranks, others] = [meanRanks(a), meanRanks(b)];
  const middle = (a.length - 1) / 2;
  let [product, squares, otherSquares] = [0, 0, 0];
  for (let row = 0; row < a.length; row++) {
    const [x, y] = [ranks[row]! - middle, others[row]! - middle];
    product += x * y;
    squares += x * x;
    otherSquares += y * y;
  }
  if (squares === 0 || otherSquares === 0) return undefined;
  return Math.max(-1, Math.min(1, product / Math.sqrt(squares * otherSquares)));
}

/** Rank of each value from 0, in ascending order; equal values get the mean of their ranks. */
function meanRanks(values: ArrayLike<number>): Float64Array {
  checkFinite(values, 'value');
  const order = Int32Array.from({ length: values.length }, (_, row) => row);
  order.sort((row, other) => values[row]! - values[other]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let at = start; at < end; at++) ranks[order[at]!] = (start + end - 1) / 2;
  }
  return ranks;
}

/**
 * An estimator that also fits another one to the same points, so that {@link agreementReport} can compare the two while prompts are
 * embedded once.
 * @returns the estimator, which has the densities of `own`, and a function that returns those of `other` from the last fit; they
 *   are empty before it
 */
export function sideBySide(
  own: DensityEstimator,
  other: DensityEstimator,
): { readonly estimator: DensityEstimator; readonly otherDensity: () => Float64Array } {
  let otherDensity: Float64Array = new Float64Array(0);
  const { fitRows } = own;
  const estimator: DensityEstimator = {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `${own.fingerprint},beside=${other.fingerprint}`,
    capabilities: { outOfSample: false, online: false },
    async fit(points, options) {
      otherDensity = await other.fit(points, options);
      return own.fit(points, options);
    },
    ...(fitRows &&
      other.fitRows && {
        async fitRows(points, options) {
          otherDensity = await other.fitRows!(points, options);
          return fitRows.call(own, points, options);
        },
      }),
  };
  return { estimator, otherDensity: () => otherDensity };
}
