import { defineCommand } from 'citty';

export const train = defineCommand({
  meta: { name: 'train', description: 'Train a language model, a reward model, or a policy with GRPO' },
  subCommands: {
    base: () => import('./train-base.js').then(({ trainBaseCommand }) => trainBaseCommand),
    sft: () => import('./train-sft.js').then(({ trainSftCommand }) => trainSftCommand),
    rm: () => import('./train-rm.js').then(({ trainRmCommand }) => trainRmCommand),
    grpo: () => import('./train-grpo.js').then(({ trainGrpoCommand }) => trainGrpoCommand),
  },
});
