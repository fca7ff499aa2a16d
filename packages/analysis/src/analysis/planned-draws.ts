import { type CallOptions, warn } from '@rarefy/core';
import { armWeights, densityName, type Experiment, type ExperimentRecord, readExperiment } from '@rarefy/experiment';
import { type ArmDraws, type Treatment, verifyTreatment } from './treatment.js';

/**
 * {@link verifyTreatment} of the draws that an experiment will make, before any run: of the weights of its arms, with those of
 * `shuffled` samplers for the first seed.
 * @throws what `armWeights` throws.
 */
export function plannedTreatment(
  experiment: Experiment,
  { densities, commonness }: Pick<ExperimentRecord, 'densities' | 'commonness'>,
): Treatment {
  const { arms, seeds, weighting } = experiment;
  const draws = arms.map((arm): ArmDraws => {
    const density = densities[densityName(experiment, arm)]!;
    return {
      arm,
      density,
      draws: armWeights(arm, density, { ...(weighting && { weighting }), seed: seeds[0]! }).weights,
    };
  });
  return verifyTreatment(draws, commonness);
}

/**
 * Warns, with the code `treatment`, if the draws of an experiment whose densities are in its folder will not go to prompts that are
 * rare by anything but the density of the sampler.
 * @throws what `readExperiment` and `armWeights` throw.
 */
export async function warnOfTreatment(
  experiment: Experiment,
  folder: string,
  { onEvent }: CallOptions = {},
): Promise<void> {
  for (const { status, text } of plannedTreatment(experiment, (await readExperiment(folder)).record).checks) {
    if (status !== 'ok') warn(onEvent, { task: 'compare', code: 'treatment', message: text });
  }
}
