import { knnDistance, weighPrompts } from '@rarefy/density';
import { hiddenStateEmbedder, logitsEmbedder } from '@rarefy/embedders/causal-lm';
import { activate } from '@rarefy/lm';
import { oneLayerModel, wordPrompts } from './memory/one-layer-model.mjs';
import { runApart } from './memory/run-apart.mjs';

/**
 * Density from distances of mean logits against density from distances of mean hidden states: CPU seconds from the model to the
 * densities, and the peak memory of the former in a separate process.
 */
export async function vocabularySpaceRows({
  prompts = 50_000,
  vocabulary = 50_304,
  hidden = 768,
  k = 10,
  rounds = 1,
} = {}) {
  await activate('wasm');
  const { model, tokenizer } = oneLayerModel({ vocabulary, hidden });
  const items = wordPrompts(prompts);
  const least = { hidden: Infinity, logits: Infinity };
  for (let round = 0; round < rounds; round++) {
    for (const [name, create] of Object.entries({ hidden: hiddenStateEmbedder, logits: logitsEmbedder })) {
      const before = process.cpuUsage();
      const embedder = await create({ model, tokenizer });
      await weighPrompts(items, { embedder, estimator: knnDistance({ k }), batchSize: 256 });
      const { user, system } = process.cpuUsage(before);
      least[name] = Math.min(least[name], (user + system) / 1e6);
    }
  }
  const { peakBytes } = await runApart('vocabulary-space.mjs', { prompts, vocabulary, hidden, k });
  const what = `${prompts} prompts, ${k} neighbors`;
  return [
    { name: `hidden-state density, ${hidden} wide, ${what}`, value: least.hidden, unit: 'cpu s' },
    {
      name: `vocabulary-space density, ${vocabulary} wide, ${what}`,
      value: least.logits,
      unit: 'cpu s',
      against: 'hidden-state density',
      ratio: least.logits / least.hidden,
    },
    { name: 'its peak memory, in a process of its own', value: peakBytes / 1e6, unit: 'MB' },
  ];
}
