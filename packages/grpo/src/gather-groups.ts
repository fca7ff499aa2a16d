import type { PromptBatch } from './loader/grpo-loader.js';
import { type GroupAdvantages, hasSpread } from './losses/advantages.js';
import { meanMetrics, type RewardScores } from './rewards/reward-function.js';
import type { Rollout } from './rollout/rollout.js';

/** A batch with its completions and rewards. */
export interface ScoredBatch<Prompt> {
  readonly batch: PromptBatch<Prompt>;
  readonly written: Rollout;
  readonly scores: RewardScores;
  /** The rewards that advantages are computed from: the total, or what treatments make of it. */
  readonly treated: Float64Array;
}

/** All groups of a step, and those that are learned from. */
export interface GatheredGroups<Prompt> {
  readonly batches: readonly PromptBatch<Prompt>[];
  /** Completions of all groups; `scores` and `advantages` are also of all groups. */
  readonly written: Rollout;
  readonly scores: RewardScores;
  readonly advantages: GroupAdvantages;
  /** Completions of the groups that are learned from; `learnedAdvantages` and `importance` are also of these groups. */
  readonly learned: Rollout;
  readonly learnedAdvantages: Float64Array;
  /** Importance weights, one per completion; undefined if the loader reports none. */
  readonly importance: Float64Array | undefined;
}

interface GatherOptions {
  readonly maxRefills: number;
  readonly advantagesOf: (treated: Float64Array, scores: RewardScores, groupSize: number) => GroupAdvantages;
}

/**
 * Gathers one batch of groups to learn from. A group whose rewards are all equal has zero advantages. With `maxRefills` > 0 such
 * groups are replaced by groups of further batches (dynamic sampling; Yu et al. 2025, "DAPO"), until the batch is full or that
 * many further batches are used. If all groups have equal rewards, the first batch is used unchanged: only the KL term learns.
 */
export async function gatherGroups<Prompt>(
  nextScored: () => Promise<ScoredBatch<Prompt>>,
  { maxRefills, advantagesOf }: GatherOptions,
): Promise<GatheredGroups<Prompt>> {
  const scored = [await nextScored()];
  const wanted = scored[0]!.batch.positions.length;
  let merged = merge(scored, advantagesOf);
  while (scored.length <= maxRefills && differing(merged.advantages).length < wanted) {
    scored.push(await nextScored());
    merged = merge(scored, advantagesOf);
  }
  const chosen = maxRefills > 0 ? differing(merged.advantages).slice(0, wanted) : [];
  const groups = chosen.length > 0 ? chosen : Array.from({ length: wanted }, (_, group) => group);
  const { groupSize } = merged.written;
  const rows = groups.flatMap((group) => Array.from({ length: groupSize }, (_, member) => group * groupSize + member));
  const importance = scored.flatMap(({ batch }) => [...(batch.importance ?? [])]);
  return {
    ...merged,
    batches: scored.map(({ batch }) => batch),
    learned: {
      completions: rows.map((row) => merged.written.completions[row]!),
      promptIds: groups.map((group) => merged.written.promptIds[group]!),
      groupSize,
    },
    learnedAdvantages: Float64Array.from(rows, (row) => merged.advantages.advantages[row]!),
    importance:
      importance.length > 0 ? Float64Array.from(rows, (row) => importance[Math.floor(row / groupSize)]!) : undefined,
  };
}

/** Indexes of groups whose rewards differ. */
function differing({ deviations }: GroupAdvantages): number[] {
  return Array.from(deviations.keys()).filter((group) => hasSpread(deviations[group]!));
}

function merge<Prompt>(scored: readonly ScoredBatch<Prompt>[], advantagesOf: GatherOptions['advantagesOf']) {
  const concat = (columns: readonly Float64Array[]) => Float64Array.from(columns.flatMap((column) => [...column]));
  const [{ written: first, scores: firstScores }] = scored as [ScoredBatch<Prompt>, ...ScoredBatch<Prompt>[]];
  const scores: RewardScores = {
    total: concat(scored.map((batch) => batch.scores.total)),
    rewards: Object.fromEntries(
      Object.keys(firstScores.rewards).map((name) => [
        name,
        concat(scored.map((batch) => batch.scores.rewards[name]!)),
      ]),
    ),
    metrics: meanMetrics(scored.map((batch) => batch.scores.metrics ?? {})),
  };
  const written: Rollout = {
    completions: scored.flatMap((batch) => batch.written.completions),
    promptIds: scored.flatMap((batch) => batch.written.promptIds),
    groupSize: first.groupSize,
  };
  const treated = concat(scored.map((batch) => batch.treated));
  return { written, scores, advantages: advantagesOf(treated, scores, first.groupSize) };
}
