import { defineCommand } from 'citty';

export const models = defineCommand({
  meta: { name: 'models', description: 'Download models from a Hugging Face hub and list them' },
  subCommands: {
    pull: () => import('./models-pull.js').then(({ modelsPull }) => modelsPull),
    list: () => import('./models-list.js').then(({ modelsList }) => modelsList),
    path: () => import('./models-path.js').then(({ modelsPath }) => modelsPath),
  },
});
