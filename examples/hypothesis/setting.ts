import { fileURLToPath } from 'node:url';
import { type Pair, readPairs, uniquePrompts } from '@rarefy/data';
import { hashEmbedder } from '@rarefy/embedders/hash';
import { universalSentenceEncoder } from '@rarefy/embedders/use';
import { armSets, defineExperiment, type Experiment } from '@rarefy/experiment';
import { heldOutPositions, type NamedReward } from '@rarefy/grpo';
import { learningRateSchedule } from '@rarefy/training';
import { judge } from './ground-truth.js';
import { truthReward, typicalityReward } from './rewards.js';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const strata = ['head', 'mid', 'tail'] as const;
const heldOutPerStratum = 24;

const pairs: Pair[] = [];
for await (const pair of readPairs(path('data/pairs.jsonl'))) pairs.push(pair);
const records = await uniquePrompts(pairs);
const topics = new Map(records.map(({ prompt, topic = '' }) => [prompt, topic]));
const topicOf = (prompt: string) => topics.get(prompt)!;

const pairsOf = new Map<string, number>();
for (const { topic = '' } of pairs) pairsOf.set(topic, (pairsOf.get(topic) ?? 0) + 1);
const ranking = [...pairsOf].sort(([, a], [, b]) => b - a).map(([topic]) => topic);

/** By the rank of the topic: the first 6 topics have 59 % of the pairs, the next 14 have 23 %, and the last 36 have 18 %. */
export function stratumOf(prompt: string): (typeof strata)[number] {
  const rank = ranking.indexOf(topicOf(prompt));
  return rank < 6 ? 'head' : rank < 20 ? 'mid' : 'tail';
}

const aside = strata.flatMap((stratum) => {
  const all = records.filter(({ prompt }) => stratumOf(prompt) === stratum);
  return Array.from(heldOutPositions(all.length, heldOutPerStratum, 1), (position) => ({ ...all[position]!, stratum }));
});
const isAside = new Set(aside.map(({ id }) => id));
const prompts = records.filter(({ id }) => !isAside.has(id));

/** The shipped setting: what every experiment of this folder has in common. `added` joins the rewards. */
export function setting(name: string, hypothesis: string, added: readonly NamedReward[] = []): Experiment {
  return defineExperiment({
    name,
    hypothesis,
    model: path('models/small'),
    arms: armSets.claim,
    seeds: [1, 2, 3, 4, 5, 6, 7, 8],
    prompts,
    heldOut: aside.map(({ id, prompt, stratum }) => ({ id, prompt, stratum })),
    strata,
    rewards: (start) => [truthReward(topicOf), { ...typicalityReward(start), weight: 5 }, ...added],
    judge: ({ prompt }, text) => judge(topicOf(prompt), prompt, text),
    embedders: { sentences: universalSentenceEncoder },
    rarities: {
      topic: { labels: prompts.map(({ prompt }) => topicOf(prompt)) },
      source: { labels: prompts.map(({ sources }) => sources[0]!) },
      words: { embedder: async () => hashEmbedder() },
    },
    training: {
      steps: 40,
      batchSize: 16,
      groupSize: 4,
      learningRate: 2e-4,
      schedule: learningRateSchedule('constant', { warmupSteps: 4 }),
      maxGradNorm: 1,
      maxCompletionLength: 64,
    },
    evaluation: { answers: 12, every: 20, answersDuring: 4, k: 6 },
    primary: 'distinct-good',
    secondary: ['em-dashes', 'vocabulary-ratio', 'good', 'self-bleu-prompt', 'entropy'],
    gates: { garbled: 0.1, onTopic: { head: 0.6, tail: 0.3 } },
    answerEmbedder: async () => hashEmbedder(),
    outcome: (prompt, text) => judge(topicOf(prompt), prompt, text).class,
  });
}
