import { InvalidArgumentError, nearestName } from '@rarefy/core';
import type { Arm } from './arm.js';

const uniform: Arm = { name: 'uniform', sampler: { kind: 'uniform' } };

/**
 * The arms that test the claim: density-aware sampling at two strengths; a placebo with the same weights on other prompts, so
 * that an effect of concentration alone is not taken for one of rarity; and the two ways to use the same weights that leave the
 * expected loss that of uniform draws, or change the loss in place of the draws.
 */
const claim: readonly Arm[] = [
  uniform,
  { name: 'ess-0.5', sampler: { kind: 'density', targetEss: 0.5 } },
  { name: 'ess-0.2', sampler: { kind: 'density', targetEss: 0.2 } },
  { name: 'shuffled-0.2', sampler: { kind: 'shuffled', targetEss: 0.2 } },
  { name: 'ess-0.2-corrected', sampler: { kind: 'density', targetEss: 0.2 }, importance: 1 },
  { name: 'uniform-reweighted', sampler: { kind: 'uniform' }, reweightLoss: { targetEss: 0.2 } },
];

/**
 * Sets of arms for common questions. The first arm of each set is the one that the others are compared with.
 *
 * - `claim`: does drawing rare prompts more often keep answers varied?
 * - `rivals`: `claim`, and uniform sampling with other means to the same end.
 * - `aa`: the same arm twice. A valid analysis finds a difference in at most a share alpha of such experiments.
 * - `rm`: reward model and policy, each with uniform or density-aware draws: which of the two matters?
 */
export const armSets = {
  claim,
  rivals: [
    ...claim,
    { ...uniform, name: 'focal', treatment: { kind: 'focal-difficulty' } },
    { ...uniform, name: 'inverse-probability', treatment: { kind: 'inverse-probability' } },
    { ...uniform, name: 'completion-density', treatment: { kind: 'completion-density' } },
    { ...uniform, name: 'entropy-bonus', entropyCoef: 0.001 },
  ],
  aa: [
    { ...uniform, name: 'uniform-a' },
    { ...uniform, name: 'uniform-b' },
  ],
  rm: [
    { name: 'rm-uniform-policy-uniform', sampler: { kind: 'uniform' }, rewardModel: 'uniform' },
    { name: 'rm-uniform-policy-density', sampler: { kind: 'density', targetEss: 0.2 }, rewardModel: 'uniform' },
    { name: 'rm-density-policy-uniform', sampler: { kind: 'uniform' }, rewardModel: 'density' },
    { name: 'rm-density-policy-density', sampler: { kind: 'density', targetEss: 0.2 }, rewardModel: 'density' },
  ],
} as const satisfies Readonly<Record<string, readonly Arm[]>>;

/**
 * Arms by the names of sets and arms, in this order and each once: of `own` arms, and of {@link armSets}.
 * @throws InvalidArgumentError for a name that is neither.
 */
export function armsNamed(names: readonly string[], own: readonly Arm[] = []): Arm[] {
  const sets: Readonly<Record<string, readonly Arm[]>> = armSets;
  const known = new Map([...Object.values(sets).flat(), ...own].map((arm) => [arm.name, arm]));
  const arms = names.flatMap((name) => {
    const found = Object.hasOwn(sets, name) ? sets[name] : known.get(name);
    if (found !== undefined) return found;
    const near = nearestName(name, [...Object.keys(sets), ...known.keys()]);
    throw new InvalidArgumentError(
      `there is no set of arms and no arm "${name}"${near === undefined ? `; sets are ${Object.keys(sets).join(', ')}` : `; did you mean "${near}"?`}`,
    );
  });
  return [...new Set(arms)];
}
