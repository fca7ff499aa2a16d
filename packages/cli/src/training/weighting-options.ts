import type { Weighting } from '@rarefy/core';
import type { OptionDefinitions, OptionValues } from '../shell/options.js';

/** From neighbours to weights. */
export const weightingOptions = {
  k: { type: 'integer', default: 10, min: 1, description: 'Nearest other prompts that count' },
  exponent: {
    type: 'number',
    default: 1,
    description: 'Weight = (1 / density) ^ exponent; larger favours rare prompts more',
  },
  'target-ess': {
    type: 'number',
    min: 0,
    max: 1,
    description: 'Effective sample size to reach, as a share of the prompts in (0, 1]',
  },
  'mix-uniform': { type: 'number', min: 0, max: 1, description: 'Share of draws that are uniform, in [0, 1]' },
  cap: { type: 'number', min: 1, description: 'Largest weight as a multiple of the median, at least 1' },
} as const satisfies OptionDefinitions;

export type WeightingValues = OptionValues<typeof weightingOptions>;

/**
 * The weighting that the options name: inverse density, then what was asked for on top of it.
 * @param epsilon added to every density
 */
export async function weightingOf(values: Omit<WeightingValues, 'k'>, epsilon = 0): Promise<Weighting> {
  const { cap, compose, inverseDensity, mixUniform, targetEss } = await import('@rarefy/density');
  return compose(
    inverseDensity({ exponent: values.exponent, epsilon }),
    ...(values.targetEss === undefined ? [] : [targetEss(values.targetEss)]),
    ...(values.mixUniform === undefined ? [] : [mixUniform(values.mixUniform)]),
    ...(values.cap === undefined ? [] : [cap(values.cap)]),
  );
}
