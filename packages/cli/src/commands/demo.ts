import { backendOption } from '../open/backend.js';
import { command } from '../shell/command.js';
import { flag, integer, text } from '../shell/define-option.js';

const earlier = ['reward-model', 'plan.json', 'held-out.jsonl', 'density', 'start', 'runs'];

export const demo = command({
  description:
    'Run all jobs on the sample pairs: a reward model, a map of the prompts, and two GRPO runs each with uniform and with density-aware sampling, compared in a report',
  example: 'rarefy demo --out out/demo --open',
  options: {
    pairs: text('file', 'JSON Lines of pairs; default the sample that comes with rarefy'),
    out: text('folder', 'Folder of the results; results of an earlier demo in it are replaced', {
      default: 'out/demo',
    }),
    'max-steps': integer('GRPO steps of each run', { default: 8, min: 1 }),
    ...backendOption,
    open: flag('Open report.html in the browser'),
  },
  async run({ pairs: given, out, maxSteps, backend, open }, context) {
    const { rm } = await import('node:fs/promises');
    const { join } = await import('node:path');
    const { shippedPath } = await import('../open/model.js');
    const { trainRmCommand } = await import('./train-rm.js');
    const { density } = await import('./density.js');
    const { view } = await import('./view.js');
    const { compare } = await import('./compare.js');
    console.log(
      'Two seeds prove nothing: this shows how a comparison is made, not whether density-aware sampling helps.',
    );

    const pairs = ['--pairs', given ?? (await shippedPath('data/pairs.jsonl'))];
    const model = ['--model', await shippedPath('models/tiny')];
    const common = backend === undefined ? [] : ['--backend', backend];
    const embedder = ['--embedder', 'use', '--cache', join(out, 'embeddings')];
    const rewardModel = join(out, 'reward-model');
    const jobs = [
      {
        ...{ name: 'train rm', job: trainRmCommand },
        words: [...pairs, ...model, '--max-steps', '12', '--learning-rate', '3e-4', ...common, '--out', rewardModel],
      },
      {
        name: 'density',
        job: density,
        words: [...pairs, ...embedder, ...common, '--target-ess', '0.5', '--out', join(out, 'weights.jsonl')],
      },
      { name: 'view', job: view, words: [...pairs, ...embedder, ...common, '--out', out] },
      {
        ...{ name: 'compare', job: compare },
        words: [
          ...[...pairs, ...model, ...embedder, '--reward-model', rewardModel],
          ...['--arms', 'uniform,ess-0.5', '--seeds', '2', '--max-steps', String(maxSteps), '--learning-rate', '1e-4'],
          ...[
            '--batch-size',
            '8',
            '--group-size',
            '4',
            '--max-completion-length',
            '48',
            '--held-out',
            '30',
            '--answers',
            '4',
          ],
          ...[...common, '--out', out, ...(open ? ['--open'] : [])],
        ],
      },
    ];
    for (const name of earlier) await rm(join(out, name), { recursive: true, force: true });
    for (const { name, job, words } of jobs) {
      console.log(`\n$ rarefy ${[...name.split(' '), ...words].map(quoted).join(' ')}`);
      await job.execute(words, context);
    }
  },
});

function quoted(word: string): string {
  return /[^\w./:=,@+-]/.test(word) ? `'${word.replaceAll("'", String.raw`'\''`)}'` : word;
}
