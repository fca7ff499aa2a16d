import { checkInteger, checkSeed, InvalidArgumentError } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { heldOutPositions } from '@rarefy/grpo';
import { checkValues } from '@rarefy/statistics';
import type { Experiment } from './experiment.js';

const densityStrata = ['crowded', 'middle', 'rare'] as const;

/**
 * Sets prompts aside for evaluation, the same number from each stratum: the tenth of the prompts with the highest density, those
 * between, and the tenth with the lowest. Deterministic by the seed; prompts of equal density are in the order of the records.
 * @param density one per prompt, larger is more crowded; from an embedder that does not drive the sampler, or the strata would
 *   be what the sampler calls rare
 * @param count prompts to set aside, a multiple of 3; at most half of each stratum
 * @throws InvalidArgumentError if there are too few prompts, or not one density per prompt; NotFiniteError for a density that is
 *   NaN or infinite.
 */
export function holdOut(
  prompts: readonly PromptRecord[],
  density: ArrayLike<number>,
  { count, seed = 0 }: { readonly count: number; readonly seed?: number },
): Pick<Experiment, 'prompts' | 'heldOut' | 'strata'> {
  checkInteger('count', count, 3);
  checkSeed(seed);
  checkValues('density', density, 1);
  if (density.length !== prompts.length) {
    throw new InvalidArgumentError(`there are ${prompts.length} prompts, but ${density.length} densities`);
  }
  const tenth = Math.floor(prompts.length / 10);
  const each = count / 3;
  if (!Number.isInteger(each)) throw new InvalidArgumentError(`count must be a multiple of 3, got ${count}`);
  if (2 * each > tenth) {
    throw new InvalidArgumentError(
      `${count} held-out prompts are ${each} per stratum, more than half of a tenth of the ${prompts.length} prompts; hold out at most ${3 * Math.floor(tenth / 2)}`,
    );
  }
  const byDensity = prompts.map((_, position) => position).sort((a, b) => density[b]! - density[a]! || a - b);
  const members = [byDensity.slice(0, tenth), byDensity.slice(tenth, -tenth), byDensity.slice(-tenth)];
  const stratumOf = new Map(
    members.flatMap((positions, index) =>
      Array.from(
        heldOutPositions(positions.length, each, seed),
        (at) => [positions[at]!, densityStrata[index]!] as const,
      ),
    ),
  );
  return {
    prompts: prompts.filter((_, position) => !stratumOf.has(position)),
    heldOut: prompts.flatMap(({ id, prompt }, position) => {
      const stratum = stratumOf.get(position);
      return stratum === undefined ? [] : [{ id, prompt, stratum }];
    }),
    strata: densityStrata,
  };
}
