import { InvalidArgumentError, ShapeError } from '@rarefy/core';
import { spearman } from '@rarefy/density';
import type { Arm } from '../arms/arm.js';
import { checkValues, sumOf } from '../numeric/numbers.js';
import type { Check, DrawsByRarity } from './report.js';
import { figure, isDensityAware, listed, percent } from './run-values.js';

/** What an arm draws: counted after training, or expected from its weights before. */
export interface ArmDraws {
  readonly arm: Arm;
  /** One per training prompt: how often it was drawn, or its unnormalized probability. */
  readonly draws: ArrayLike<number>;
  /** The density that makes its weights, one per training prompt; larger is more crowded. */
  readonly density: ArrayLike<number>;
  /** Number of draws behind `draws`, which limits what can be seen in them. Default: infinite, for probabilities. */
  readonly count?: number;
}

export interface Treatment {
  /** Named `treatment`; and `placebo`, if there is an arm with shuffled weights. */
  readonly checks: readonly Check[];
  readonly draws: readonly DrawsByRarity[];
}

/** The share of the rarest tenth must grow at least by this factor. */
const leastGrowth = 1.1;
/** Rank correlations up to this one count as no agreement. */
const noAgreement = 0.1;

/**
 * Checks that arms which should draw rare prompts more often do so by rarities that their sampler did not use. Uniform draws put a
 * tenth of the draws on each tenth of the prompts. For every density-aware arm, the check passes if, by at least one rarity, the
 * rarest tenth gets at least 1.1 times that (and more than 2 standard errors above it, if draws were counted) while the most
 * crowded tenth does not gain. It fails for an arm without such a rarity, and warns if the density of the sampler agrees with
 * none of them: no rank correlation above 0.1. Pass expected draws, the weights of `armWeights`, to learn this before training.
 * Deterministic.
 * @param arms every arm that is compared
 * @param commonness by name of the rarity: how common each training prompt is, larger being more common
 * @throws InvalidArgumentError if an arm draws nothing; ShapeError if lengths differ; NotFiniteError for a value that is NaN or
 *   infinite.
 */
export function verifyTreatment(
  arms: readonly ArmDraws[],
  commonness: Readonly<Record<string, ArrayLike<number>>>,
): Treatment {
  const draws = arms.flatMap(({ arm, draws, density }) => {
    const usesDensity = isDensityAware(arm) || arm.reweightLoss !== undefined;
    return Object.entries({ sampler: density, ...commonness }).map(([rarity, common]) => ({
      arm: arm.name,
      rarity,
      deciles: decileShares(draws, common),
      rankCorrelation: usesDensity ? (spearman(Float64Array.from(density), Float64Array.from(common)) ?? null) : null,
    }));
  });
  const checked = draws.filter(({ rarity }) => rarity !== 'sampler');
  const aware = arms.filter(({ arm }) => isDensityAware(arm));
  const placebos = arms.filter(({ arm }) => arm.sampler.kind === 'shuffled');
  return {
    draws,
    checks: [
      ...(aware.length === 0 ? [] : [treatmentCheck(aware, checked)]),
      ...(placebos.length === 0 ? [] : [placeboCheck(placebos, checked)]),
    ],
  };
}

function treatmentCheck(aware: readonly ArmDraws[], draws: readonly DrawsByRarity[]): Check {
  const name = 'treatment';
  if (draws.length === 0) {
    return { name, status: 'warning', text: 'Nothing but the density of the sampler says which prompts are rare.' };
  }
  const ofArm = (arm: Arm) => draws.filter((entry) => entry.arm === arm.name);
  const idle = aware.filter(({ arm, count }) => !ofArm(arm).some((entry) => movedToRare(entry, count)));
  const disagreeing = aware.filter(({ arm }) =>
    ofArm(arm).every((entry) => (entry.rankCorrelation ?? 0) <= noAgreement),
  );
  const shares = aware.map(({ arm }) => {
    const byRarity = ofArm(arm).map(
      ({ rarity, deciles }) => `${percent(deciles[0]!)} by ${rarity} (the most crowded tenth ${percent(deciles[9]!)})`,
    );
    return `${arm.name} gives the rarest tenth of the prompts ${listed(byRarity)}`;
  });
  const figures = `${shares.join('; ')}; uniform draws give every tenth 10 %`;
  if (idle.length > 0) {
    const names = listed(idle.map(({ arm }) => arm.name));
    return {
      name,
      status: 'failed',
      text: `No independent rarity shows more draws of rare prompts in ${names}: ${figures}.`,
    };
  }
  if (disagreeing.length > 0) {
    const [{ arm }] = disagreeing as [ArmDraws];
    const correlations = ofArm(arm).map(
      ({ rarity, rankCorrelation }) => `${figure(rankCorrelation ?? 0)} with ${rarity}`,
    );
    const names = listed(disagreeing.map((entry) => entry.arm.name));
    return {
      name,
      status: 'warning',
      text: `The density of ${names} agrees with no other rarity (rank correlation ${listed(correlations)}), although draws moved: ${figures}.`,
    };
  }
  return { name, status: 'ok', text: `Rare prompts were drawn more often: ${figures}.` };
}

function movedToRare({ deciles }: DrawsByRarity, count = Number.POSITIVE_INFINITY): boolean {
  const noise = Math.sqrt((0.1 * 0.9) / count);
  return deciles[0]! >= 0.1 * leastGrowth && deciles[0]! > 0.1 + 2 * noise && deciles[9]! <= 0.1;
}

function placeboCheck(placebos: readonly ArmDraws[], draws: readonly DrawsByRarity[]): Check {
  const ofPlacebos = draws.filter((entry) => placebos.some(({ arm }) => arm.name === entry.arm));
  const leaning = ofPlacebos.filter(({ deciles }) => deciles[0]! >= 0.15);
  const figures = ofPlacebos.map(({ arm, rarity, deciles }) => `${percent(deciles[0]!)} by ${rarity} in ${arm}`);
  return {
    name: 'placebo',
    status: leaning.length > 0 ? 'warning' : 'ok',
    text: `Shuffled weights should leave the rarest tenth at 10 % of the draws; they gave it ${listed(figures)}.`,
  };
}

/**
 * Share of the draws per tenth of the prompts, the rarest tenth first. Equally common prompts share their draws evenly, and a
 * prompt on the border of two tenths counts for both in proportion.
 * @throws InvalidArgumentError if nothing is drawn; ShapeError if lengths differ; NotFiniteError for a value that is NaN or
 *   infinite.
 */
export function decileShares(draws: ArrayLike<number>, commonness: ArrayLike<number>): number[] {
  checkValues('draws', draws, 1);
  checkValues('commonness', commonness, 1);
  if (draws.length !== commonness.length) {
    throw new ShapeError(
      `there are draws of ${draws.length} prompts, and ${commonness.length} say how common they are`,
    );
  }
  const total = sumOf(draws);
  if (!(total > 0)) throw new InvalidArgumentError('no prompt is drawn');
  const order = Array.from(commonness, (_, prompt) => prompt).sort((a, b) => commonness[a]! - commonness[b]!);
  const deciles = new Array<number>(10).fill(0);
  for (let from = 0, to = 0; from < order.length; from = to) {
    let share = 0;
    for (to = from; to < order.length && commonness[order[to]!] === commonness[order[from]!]; to++) {
      share += draws[order[to]!]! / total;
    }
    for (let decile = 0; decile < 10; decile++) {
      const start = Math.max(from, (decile * order.length) / 10);
      const end = Math.min(to, ((decile + 1) * order.length) / 10);
      if (end > start) deciles[decile]! += (share * (end - start)) / (to - from);
    }
  }
  return deciles;
}
