import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readPairs } from '@rarefy/data';
import { chooseBackend, loadLanguageModel, rewardModel } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import { evaluateRewardModel, splitPairs, trainRewardModel } from '@rarefy/training';
import '@tensorflow/tfjs';
import { startPeer } from './peers/python.mjs';

const share = 0.2;
const steps = Number(process.env.RAREFY_BENCH_STEPS ?? 150);
const everySteps = 50;

/**
 * Trains a reward model on real pairs and compares its accuracy on a held-out fifth of the prompts with a logistic regression on
 * bags of words, on the same pairs. RAREFY_REAL_PAIRS is the file of pairs, RAREFY_BENCH_MODEL the model to start from (default
 * the tiny one of examples), RAREFY_BENCH_STEPS the number of steps of 16 pairs (150).
 */
export async function bench() {
  const file = process.env.RAREFY_REAL_PAIRS ?? '';
  if (!existsSync(file)) throw new Error('set RAREFY_REAL_PAIRS to a file of pairs');
  const backend = await chooseBackend();
  const folder =
    process.env.RAREFY_BENCH_MODEL ?? fileURLToPath(new URL('../../examples/models/tiny', import.meta.url));
  const loaded = await loadLanguageModel(folder);
  const { maxPositions } = loaded.model.description;
  const pairs = [];
  for await (const pair of readPairs(file)) pairs.push(pair);
  const { train, heldOut } = splitPairs(pairs, share);
  const format = chatFormat(loaded.tokenizer);
  const fits = ({ prompt, chosen, rejected }) =>
    [chosen, rejected].every((answer) => format.conversation(prompt, answer).ids.length <= maxPositions);

  const reward = rewardModel(loaded.model);
  const cpuBefore = process.cpuUsage();
  const {
    evaluation,
    step,
    pairs: trained,
    tooLong,
  } = await trainRewardModel(loaded, reward, train, {
    ...{
      steps,
      batchSize: 16,
      learningRate: 5e-4,
      weightDecay: 0,
      maxGradNorm: 1,
      centerRewardsCoefficient: 0.01,
      seed: 7,
    },
    evaluation: { pairs: heldOut, everySteps },
    onEvent() {},
    onStep(number, metrics) {
      if (number % everySteps === 0)
        console.error(number, metrics.loss, metrics.accuracy, metrics.eval_loss, metrics.eval_accuracy);
    },
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  const again = await evaluateRewardModel({ reward, tokenizer: loaded.tokenizer }, heldOut, {
    centerRewardsCoefficient: 0.01,
    onEvent() {},
  });
  if (Math.abs(again.accuracy - evaluation.accuracy) > 0.01)
    throw new Error('the model does not have its best weights');

  const [low, high] = evaluation.accuracyInterval.map((value) => 100 * value);
  const accuracy = 100 * evaluation.accuracy;
  const results = [
    { name: `pairs that fit in ${maxPositions} tokens`, value: (100 * trained) / (trained + tooLong), unit: '%' },
    { name: `held-out pairs that fit`, value: evaluation.pairs, unit: 'pairs' },
    {
      name: `CPU time of ${steps} steps and their evaluations, ${backend.name}`,
      value: (user + system) / 1e6,
      unit: 's',
    },
    { name: `accuracy on held-out pairs, best weights (step ${step})`, value: accuracy, unit: '%' },
    { name: '95 % interval, low', value: low, unit: '%' },
    { name: '95 % interval, high', value: high, unit: '%' },
  ];
  const peer = startPeer('reward-model.py');
  for (const [what, given] of Object.entries({ 'the same pairs': train.filter(fits), 'all training pairs': train })) {
    const theirs = await peer?.ask({ train: given, test: heldOut.filter(fits) });
    if (!theirs) continue;
    results.push({
      ...{ name: 'accuracy on held-out pairs', value: accuracy, unit: '%' },
      against: `bag of words on ${what}: ${(100 * theirs.accuracy).toFixed(1)} %`,
      ratio: evaluation.accuracy / theirs.accuracy,
    });
  }
  peer?.end();
  return results;
}
