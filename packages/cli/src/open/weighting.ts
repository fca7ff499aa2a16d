import { InvalidArgumentError, type Weighting } from '@rarefy/core';
import { number } from '../shell/define-option.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';

/** From densities to weights. */
export const weightingOptions = under('Sampling', {
  exponent: number('Weight = (1 / density) ^ exponent; a larger exponent favors rare prompts more', { default: 1 }),
  'target-ess': number('Sharpen the weights to this effective sample size, as a share of the prompts in (0, 1]', {
    min: 0,
    max: 1,
  }),
  'mix-uniform': number('Share of draws that are uniform, in [0, 1]', { min: 0, max: 1 }),
  cap: number('Largest weight, as a multiple of the median weight; at least 1', { min: 1 }),
} as const satisfies OptionDefinitions);

/**
 * The weighting that the options choose: inverse density, then the requested changes.
 * @param epsilon added to every density
 * @throws InvalidArgumentError for a target of 0, which no weights reach.
 */
export async function openWeighting(values: OptionValues<typeof weightingOptions>, epsilon = 0): Promise<Weighting> {
  if (values.targetEss === 0) {
    throw new InvalidArgumentError(
      '--target-ess must be above 0: it is the effective share of the prompts, such as 0.5.',
    );
  }
  const { cap, compose, inverseDensity, mixUniform, targetEss } = await import('@rarefy/density');
  return compose(
    inverseDensity({ exponent: values.exponent, epsilon }),
    ...(values.targetEss === undefined ? [] : [targetEss(values.targetEss)]),
    ...(values.mixUniform === undefined ? [] : [mixUniform(values.mixUniform)]),
    ...(values.cap === undefined ? [] : [cap(values.cap)]),
  );
}
