// node CHILD MODEL FOLDER HANG_AT --only ARM/SEED: trains one run of the tiny experiment. The call HANG_AT of its reward prints
// `hanging` and never returns; 0: no call does. `fail`: the reward throws.

import { trainRun } from '@rarefy/experiment';
import type { NamedReward } from '@rarefy/grpo';
import { activate } from '@rarefy/lm';
import '@tensorflow/tfjs';
import { tinyExperiment } from './tiny-experiment.js';

const [model, folder, hangAt, , only] = process.argv.slice(2) as [string, string, string, string, string];
const [arm, seed] = only.split('/') as [string, string];
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort(new Error('stopped')));
let calls = 0;
const experiment = tinyExperiment(model);
const rewards: typeof experiment.rewards = async (...context) => {
  const [given] = await experiment.rewards(...context);
  const { name, reward } = given as NamedReward;
  return [
    {
      name,
      async reward(completions, options) {
        calls++;
        if (hangAt === 'fail') throw new Error('no reward today');
        if (calls === Number(hangAt)) {
          process.stderr.write('hanging\n');
          await new Promise((_, reject) => {
            options?.signal?.addEventListener('abort', () => reject(options.signal!.reason));
            setTimeout(() => {}, 120_000);
          });
        }
        return reward(completions, options);
      },
    },
  ];
};
await activate('cpu');
await trainRun(
  { ...experiment, rewards },
  { folder, arm, seed: Number(seed), saveSteps: 1, code: 'tiny', signal: stop.signal },
);
process.exit(0);
