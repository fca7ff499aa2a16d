import { embedderFrom } from '@rarefy/core';
import { knnDistance } from '@rarefy/density';
import { defineExperiment, type Experiment } from '@rarefy/experiment';
import { lengthReward } from '@rarefy/grpo';
import { saveLanguageModel } from '@rarefy/lm';
import { config, newModel, tokenizer } from './tiny-policy.js';

/** Saves the model that {@link tinyExperiment} starts from. */
export async function saveTinyModel(folder: string): Promise<void> {
  await saveLanguageModel(folder, { model: newModel(), tokenizer, config });
}

const topics = ['one', 'one', 'one', 'two', 'two', 'three'];
const prompts = topics.map((topic, index) => ({
  ...{ id: `p${index}`, prompt: `${topic} ${'abcdef'[index]}`, count: 1, sources: ['s'], topic },
}));

/** Rows by the letters of a text. */
const letters = async () =>
  embedderFrom({
    name: 'letters',
    dimensions: 3,
    embed: (texts) => texts.map((text) => [text.length, text.charCodeAt(0) % 7, text.charCodeAt(text.length - 1) % 5]),
  });

/** Two arms, two seeds and two steps of milliseconds. */
export function tinyExperiment(model: string, changes: Partial<Experiment> = {}): Experiment {
  return defineExperiment({
    name: 'tiny',
    hypothesis: 'Nothing in particular.',
    model,
    arms: [
      { name: 'uniform', sampler: { kind: 'uniform' } },
      { name: 'ess-0.5', sampler: { kind: 'density', targetEss: 0.5 } },
    ],
    seeds: [1, 2],
    prompts,
    heldOut: ['head', 'tail'].map((stratum, index) => ({ id: `h${index}`, prompt: `four ${stratum}`, stratum })),
    strata: ['head', 'tail'],
    rewards: () => [{ name: 'length', reward: lengthReward({ target: 3 }) }],
    judge: (_prompt, text) => ({ good: text.length % 2 === 0, class: text.slice(0, 2) }),
    embedders: { letters },
    estimators: { near: knnDistance({ k: 2 }) },
    rarities: { topic: { labels: topics }, other: { embedder: letters } },
    training: { steps: 3, batchSize: 2, groupSize: 2, learningRate: 0.01, maxCompletionLength: 4 },
    evaluation: { answers: 2, every: 1 },
    ...changes,
  });
}
