import { InvalidArgumentError, ShapeError } from '@rarefy/core';
import { rarestPositions } from '../rarest-positions.js';
import { checkWeights } from '../weighting/check-values.js';
import { maximum } from '../weighting/weights-from-logarithms.js';
import { spearman } from './spearman.js';

/** One of two ways to weigh the same rows: densities, weights or both, one a row. */
export interface WeighedRows {
  /** What ranks the rows: the lowest is the rarest. Default: the order of the weights, the largest being the rarest. */
  readonly density?: Float64Array | undefined;
  readonly weights?: Float64Array | undefined;
}

/** How far two ways to weigh the same rows agree. */
export interface AgreementReport {
  readonly rows: number;
  /** Rank correlation; undefined where one side has all rows alike. */
  readonly spearman: number | undefined;
  /** Share of one side's rarest 1 % of rows (rounded up, ties by position) that are among the other's; 0.01 by chance. */
  readonly rarest1Overlap: number;
  /** The same for the rarest 10 %. */
  readonly rarest10Overlap: number;
  /**
   * Total-variation distance of the draw probabilities, in [0, 1]: the share of draws that fall elsewhere. Undefined where a side has
   * no weights.
   */
  readonly totalVariation: number | undefined;
}

/**
 * Compares two densities, or two weightings, of the same rows: other estimators, other options, or the same on an exact and on an
 * approximate neighbour graph, which tells what its recall means for the draws.
 * @throws ShapeError when lengths differ; InvalidArgumentError for a side without density and weights; NotFiniteError or
 * InvalidWeightsError naming the first bad value.
 */
export function agreementReport(one: WeighedRows, other: WeighedRows): AgreementReport {
  const [ranking, otherRanking] = [rankingOf(one), rankingOf(other)];
  const lengths = [one.density, one.weights, other.density, other.weights].flatMap((list) => list?.length ?? []);
  const rows = ranking.length;
  if (lengths.some((length) => length !== rows)) {
    throw new ShapeError(`the two sides have ${lengths.join(', ')} values; give one a row, of the same rows`);
  }
  if (rows === 0) throw new ShapeError('there are no rows to compare; give at least one');
  const overlap = (share: number) => {
    const rarest = rarestPositions(ranking, share);
    const theirs = new Set(rarestPositions(otherRanking, share));
    return rarest.reduce((found, row) => found + (theirs.has(row) ? 1 : 0), 0) / rarest.length;
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

/** Lower is rarer. */
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
