import { checkEmbedder, checkOptions, type Embedder, InvalidArgumentError, shown, TrainingError } from '@rarefy/core';
import type { Completion } from '../rollout/rollout.js';
import type { TreatedBatch, Treatment } from './treatment.js';

export interface FocalDifficultyOptions {
  /** Strength; ≥ 0, default 0.5. At 0 nothing changes. */
  readonly gamma?: number;
  /** Reward of a failure; default 0. */
  readonly low?: number;
  /** Reward of a success; above `low`, default 1. */
  readonly high?: number;
}

/**
 * Focal difficulty weighting (Plyusov et al. 2026, "F-GRPO", arXiv 2602.06717): multiplies the advantages of a group by
 * (1 - s)^gamma, where s is its mean reward, as a share of the way from `low` to `high` and clipped to [0, 1]. Groups that mostly
 * succeed then change the policy less.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function focalDifficulty(options: FocalDifficultyOptions = {}): Treatment {
  checkOptions(options, ['gamma', 'low', 'high'], 'focalDifficulty');
  const { gamma = 0.5, low = 0, high = 1 } = options;
  checkFiniteNumbers({ gamma, low, high });
  if (gamma < 0) throw new InvalidArgumentError(`gamma must be ≥ 0, got ${gamma}`);
  if (low >= high) throw new InvalidArgumentError(`high must be above low, got high ${high} and low ${low}`);
  return {
    name: 'focal-difficulty',
    settings: { gamma, low, high },
    scale: ({ means }) =>
      means.map((mean) => {
        const success = Math.min(1, Math.max(0, (mean - low) / (high - low)));
        return Number.isNaN(success) ? 1 : (1 - success) ** gamma;
      }),
  };
}

export interface InverseProbabilityOptions {
  /** The outcome of a completion, such as its final answer: completions with equal outcomes count as one. */
  readonly outcome: (completion: Completion) => string;
  /** Smallest possible reward; default 0. Rewards count from it. */
  readonly low?: number;
}

/**
 * Inverse probability scaling (Sinha et al. 2026, "IPS-GRPO", arXiv 2601.21669): divides each reward by the probability of its
 * outcome, estimated as the share of the group that has it. Frequent outcomes then are not rewarded for being frequent.
 * @throws InvalidArgumentError if an option is unknown, missing or not finite. The treatment throws TrainingError if a reward is
 *   below `low`.
 */
export function inverseProbability(options: InverseProbabilityOptions): Treatment {
  const { outcome, low = 0 } = checkOptions(options, ['outcome', 'low'], 'inverseProbability');
  checkFiniteNumbers({ low });
  if (typeof outcome !== 'function') {
    throw new InvalidArgumentError(
      `inverseProbability needs outcome, a function from a completion to a string, got ${shown(outcome)}`,
    );
  }
  return {
    name: 'inverse-probability',
    settings: { low },
    rewards: (batch) =>
      perGroup(batch, 'inverseProbability', low, (completions) => {
        const outcomes = completions.map(outcome);
        const counts = new Map<string, number>();
        for (const one of outcomes) counts.set(one, (counts.get(one) ?? 0) + 1);
        return Float64Array.from(outcomes, (one) => completions.length / counts.get(one)!);
      }),
  };
}

export interface CompletionDensityOptions {
  /** Embeds the text of completions. */
  readonly embedder: Embedder;
  /** Smallest possible reward; default 0. Rewards count from it. */
  readonly low?: number;
}

/**
 * Diversity-aware reward adjustment (Chen et al. 2025, "DRA-GRPO", arXiv 2505.09655): divides each reward by 1 + the sum of the
 * cosine similarities of its completion to the others of its group. Negative similarities count as 0, which keeps the divisor
 * ≥ 1. The density is that of completions; a density-aware sampler uses that of prompts.
 * @throws InvalidArgumentError if an option is unknown, missing or not finite. The treatment throws TrainingError if a reward is
 *   below `low`, and what the embedder throws.
 */
export function completionDensity(options: CompletionDensityOptions): Treatment {
  const { embedder, low = 0 } = checkOptions(options, ['embedder', 'low'], 'completionDensity');
  checkEmbedder(embedder, 'completionDensity');
  checkFiniteNumbers({ low });
  return {
    name: 'completion-density',
    settings: { embedder: embedder.fingerprint, low },
    async rewards(batch, callOptions) {
      const { maxBatch } = embedder.capabilities;
      const texts = batch.completions.map(({ text }) => text);
      const rows: Float64Array[] = [];
      for (let start = 0; start < texts.length; start += Math.min(maxBatch, texts.length)) {
        const { embeddings } = await embedder.embedBatch(texts.slice(start, start + maxBatch), callOptions);
        const { rows: count, cols: columns, data } = embeddings;
        for (let row = 0; row < count; row++) rows.push(unit(data.subarray(row * columns, (row + 1) * columns)));
      }
      return perGroup(batch, 'completionDensity', low, (completions, first) =>
        Float64Array.from(completions, (_, member) => {
          let similarity = 0;
          for (let other = 0; other < completions.length; other++) {
            if (other !== member) similarity += Math.max(0, dot(rows[first + member]!, rows[first + other]!));
          }
          return 1 / (1 + similarity);
        }),
      );
    },
  };
}

/** Multiplies the rewards above `low` by factors that are computed group by group. */
function perGroup(
  { completions, groupSize, rewards }: TreatedBatch,
  where: string,
  low: number,
  factors: (completions: readonly Completion[], first: number) => Float64Array,
): Float64Array {
  const treated = new Float64Array(rewards.length);
  for (let first = 0; first < rewards.length; first += groupSize) {
    const factor = factors(completions.slice(first, first + groupSize), first);
    for (let row = first; row < first + groupSize; row++) {
      const reward = rewards[row]!;
      if (reward < low) {
        throw new TrainingError(
          `${where} got a reward of ${reward} at row ${row}, below low ${low}; give the smallest possible reward as low`,
        );
      }
      treated[row] = low + (reward - low) * factor[row - first]!;
    }
  }
  return treated;
}

/** The row scaled to length 1; a row of zeros stays. */
function unit(row: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(row);
  const length = Math.sqrt(dot(values, values));
  return length === 0 ? values : values.map((value) => value / length);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let column = 0; column < a.length; column++) sum += a[column]! * b[column]!;
  return sum;
}

function checkFiniteNumbers(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isFinite(value)) throw new InvalidArgumentError(`${name} must be a finite number, got ${shown(value)}`);
  }
}
