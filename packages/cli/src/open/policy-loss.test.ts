import { InvalidArgumentError } from '@rarefy/core';
import { dapoLoss, type PolicyLoss, policyLosses } from '@rarefy/grpo';
import { describe, expect, test } from 'vitest';
import { parseOptions } from '../shell/parse-options.js';
import { checkLossOptions, lossOptions, openLoss } from './policy-loss.js';

/** The settings of the loss that the command line chooses. */
async function settingsOf(line: string) {
  const { values, given } = parseOptions(lossOptions, line.split(' ').filter(Boolean));
  checkLossOptions(given, values);
  const { name, settings } = await openLoss(values);
  return { name, ...settings };
}
const refused = (line: string) => settingsOf(line).catch((error: InvalidArgumentError) => error.message);

test('every loss of grpo can be chosen, with the defaults of the API', async () => {
  expect(lossOptions.loss.choices).toEqual(Object.keys(policyLosses));
  for (const [name, create] of Object.entries(policyLosses)) {
    const isCispo = name === 'cispo';
    const { settings } = (create as (options: object) => PolicyLoss)(isCispo ? { epsilonHigh: 5 } : {});
    expect(await settingsOf(`--loss ${name}${isCispo ? ' --epsilon-high 5' : ''}`)).toEqual({ name, ...settings });
  }
  expect(await settingsOf('')).toEqual({ name: 'dapo', ...dapoLoss().settings });
});

test('every option of the losses has a flag that sets it', async () => {
  const common = [
    '--reference rm --beta 0.1 --use-bias-correction-kl false --importance-sampling-level sequence --top-entropy-quantile 0.2',
    '--entropy-coef 0.01 --off-policy-mask-threshold 0.5 --use-adaptive-entropy --entropy-target 0.3',
    '--entropy-coef-delta 0.001 --entropy-coef-min 0.002 --entropy-coef-max 0.9',
    '--sync-ref-model --ref-model-mixup-alpha 0.5 --ref-model-sync-steps 9', // not of the loss: see the commands
  ].join(' ');
  const expected = {
    ...{ beta: 0.1, useBiasCorrectionKl: false, importanceSamplingLevel: 'sequence', topEntropyQuantile: 0.2 },
    ...{ entropyCoef: 0.01, offPolicyMaskThreshold: 0.5 },
    adaptiveEntropy: { target: 0.3, delta: 0.001, min: 0.002, max: 0.9 },
  };
  const own = {
    'dr_grpo --epsilon 0.1 --epsilon-high 0.28 --delta 4': { epsilon: 0.1, epsilonHigh: 0.28, delta: 4 },
    'cispo --epsilon-high 5': { epsilonHigh: 5 },
    'sapo --sapo-temperature-pos 2 --sapo-temperature-neg 3': { temperaturePos: 2, temperatureNeg: 3 },
    'vespo --vespo-k-pos 1 --vespo-lambda-pos 2 --vespo-k-neg 4 --vespo-lambda-neg 5': {
      ...{ kPos: 1, lambdaPos: 2, kNeg: 4, lambdaNeg: 5 },
    },
  };
  const set = new Set<string>();
  for (const [line, options] of Object.entries(own)) {
    const settings: Record<string, unknown> = await settingsOf(`--loss ${line} ${common}`);
    expect(settings).toEqual({ name: line.split(' ')[0], ...expected, ...options });
    for (const word of `${line} ${common}`.split(' ')) if (word.startsWith('--')) set.add(word.slice(2));
  }
  expect([...set, 'loss'].sort()).toEqual(Object.keys(lossOptions).sort());
});

describe('options that would be ignored are refused', () => {
  test.each([
    ['--loss sapo --delta 3', '--delta applies only to dapo, grpo, dr_grpo and luspo; the loss is sapo.'],
    ['--loss cispo --epsilon-high 5 --epsilon 0.1', '--epsilon applies only to dapo, grpo, dr_grpo and luspo'],
    ['--vespo-k-pos 1', '--vespo-k-pos applies only to vespo; the loss is dapo.'],
    ['--entropy-target 0.1', '--entropy-target applies to dapo only with --use-adaptive-entropy.'],
    ['--use-bias-correction-kl false', '--use-bias-correction-kl applies to dapo only with --beta above 0.'],
    ['--loss cispo', '--loss cispo needs --epsilon-high'],
    ['--delta 1.1', 'delta must be above 1 + epsilonHigh = 1.2, got 1.1'],
  ])('%s', async (line, message) => {
    expect(await refused(line)).toContain(message);
    await expect(settingsOf(line)).rejects.toThrow(InvalidArgumentError);
  });
});
