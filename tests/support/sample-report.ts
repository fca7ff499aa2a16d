import { counterRandom } from '@rarefy/core';
import {
  armSets,
  type ExperimentReport,
  effectSize,
  holm,
  pairingCorrelation,
  permutationTest,
  signFlipTest,
} from '@rarefy/experiment';

type Measure = ExperimentReport['measures'][number];

/** Name, label, direction, value of the start model, change under uniform draws, standard deviation of a run, effect of rarity. */
const catalog: readonly (readonly [string, string, Measure['better'], number, number, number, number])[] = [
  ['distinct-good', 'distinct good answers per prompt', 'higher', 3.1, -0.9, 0.14, 0.32],
  ['good', 'share of good answers', 'higher', 0.52, 0.11, 0.02, 0],
  ['reward', 'reward', 'higher', 0.05, 0.41, 0.04, -0.03],
  ['kl', 'KL divergence from the start model, nats per answer', 'control', 0.0005, 3.4, 0.3, -0.4],
  ['distinct-2', 'distinct-2 over all answers', 'higher', 0.41, -0.14, 0.012, 0.02],
  ['entropy', 'entropy of an answer, nats', 'higher', 61, -14, 2.2, 1.5],
  ['words', 'words per answer', 'control', 33, -2, 0.7, 0],
  ['garbled', 'share of garbled answers', 'lower', 0.08, 0.01, 0.012, 0],
  ['on-topic', 'share of answers on topic', 'higher', 0.81, 0.02, 0.015, 0.01],
  ['terminated', 'share of answers that end by themselves', 'control', 0.97, 0.01, 0.006, 0],
  ['vendi-prompt', 'Vendi score per prompt', 'higher', 5.1, -0.8, 0.1, 0.15],
  ['self-bleu-prompt', 'self-BLEU per prompt', 'lower', 0.27, 0.12, 0.012, -0.03],
  ['vocabulary-ratio', 'vocabulary ratio', 'higher', 0.155, -0.06, 0.006, 0.004],
  ['mattr', 'moving-average type-token ratio (window 50)', 'higher', 0.74, -0.08, 0.01, 0.005],
  ['em-dashes', 'em-dashes per 1,000 words', 'lower', 15.9, 5, 3.1, -0.5],
  ['vendi-across', 'Vendi score across prompts', 'higher', 44.9, -12, 2.2, 0.6],
  ['self-bleu-across', 'self-BLEU across prompts', 'lower', 0.31, 0.1, 0.02, -0.01],
  ['expectation-adjusted-distinct', 'expectation-adjusted distinct words', 'higher', 0.28, -0.07, 0.008, 0.004],
  ['embedding-spread', 'spread of the embeddings of answers', 'higher', 0.64, -0.09, 0.01, 0.01],
  ['novelty-utility', 'novelty of answers to a prompt, times their utility', 'higher', 1.9, -0.2, 0.08, 0.05],
  ['good-distinct-2', 'distinct-2 over good answers', 'higher', 0.44, -0.13, 0.014, 0.02],
  ['good-vocabulary-ratio', 'vocabulary ratio of good answers', 'higher', 0.19, -0.05, 0.007, 0.004],
  ['good-vendi-prompt', 'Vendi score of good answers per prompt', 'higher', 2.9, -0.5, 0.1, 0.1],
];

/** Rarity 0, 0.5 and 1 of the strata. */
const strata = ['head topics', 'middle topics', 'tail topics'];
const strengths: Readonly<Record<string, number>> = {
  'ess-0.5': 0.6,
  'ess-0.2': 1,
  'ess-0.2-corrected': -0.4,
  'uniform-reweighted': 0.2,
};
const steps = [0, 10, 20, 30, 40];

export interface SampleOptions {
  readonly seeds?: number;
  /** Prompts whose answers are shown. */
  readonly prompts?: number;
  /** A text that is put into every field that takes any text. */
  readonly insert?: string;
}

/** A report with made-up figures of the size that real ones have: the `claim` arms, with an effect of rarity in some measures. */
export function sampleReport({ seeds: seedCount = 8, prompts = 6, insert = '' }: SampleOptions = {}): ExperimentReport {
  const uniform = counterRandom(20).uniform;
  let drawn = 0;
  const random = () => uniform(drawn++);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const arms = armSets.claim;
  const seeds = Array.from({ length: seedCount }, (_, i) => i + 1);
  const all = ['all', ...strata];
  const rarity = (stratum: string) => (stratum === 'all' ? 0.5 : strata.indexOf(stratum) / 2);

  const start = valuesBy(([, , , value], stratum) => value * (1 - 0.2 * rarity(stratum)));
  const runs = arms.flatMap(({ name }) =>
    seeds.map((seed) => {
      const shared = normal();
      const values = valuesBy(([, , , value, change, deviation, effect], stratum) => {
        const level = value * (1 - 0.2 * rarity(stratum)) + change * (1 - 0.5 * rarity(stratum));
        return (
          level + (strengths[name] ?? 0) * effect * (1.5 - rarity(stratum)) + deviation * (0.3 * shared + normal())
        );
      });
      return { arm: name, seed, values };
    }),
  );
  const valuesOf = (arm: string, measure: string, stratum: string) =>
    runs.filter((run) => run.arm === arm).map((run) => run.values[measure]![stratum]!);

  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviationOf = (measure: string) => catalog.find(([name]) => name === measure)![5];

  const untested = catalog.flatMap(([measure], place) =>
    all.flatMap((stratum) =>
      arms.slice(1).map(({ name }): ExperimentReport['effects'][number] => {
        const [baseline, arm] = [valuesOf('uniform', measure, stratum), valuesOf(name, measure, stratum)];
        const { difference, interval, hedgesG } = effectSize(arm, baseline);
        const paired = arm.map((value, i) => value - baseline[i]!);
        return {
          arm: name,
          measure,
          stratum,
          family: stratum !== 'all' ? 'exploratory' : place === 0 ? 'primary' : place < 9 ? 'secondary' : 'exploratory',
          baselineMean: mean(baseline),
          armMean: mean(arm),
          difference,
          interval,
          ...(place === 0 && stratum === 'all' && { bootstrapInterval: interval }),
          hedgesG,
          p: permutationTest(arm, baseline, { mostExact: 1, draws: 2000 }).p,
          pHolm: null,
          detectable: 1.5 * deviationOf(measure),
          detectableHolm: 2.2 * deviationOf(measure),
          pairing: { correlation: pairingCorrelation(arm, baseline), p: signFlipTest(paired).p },
          shareAverted: difference / (start[measure]![stratum]! - mean(baseline)),
        };
      }),
    ),
  );
  const adjusted = new Map(
    ['primary', 'secondary'].flatMap((family) => {
      const members = untested.filter((effect) => effect.family === family);
      return holm(members.map((effect) => effect.p!)).map((p, i) => [members[i]!, p] as const);
    }),
  );
  const effects = untested.map((effect) => ({ ...effect, pHolm: adjusted.get(effect) ?? null }));

  const curves = catalog.flatMap(([measure]) =>
    all.flatMap((stratum) =>
      arms.map(({ name }) => {
        const [from, to, half] = [
          start[measure]![stratum]!,
          mean(valuesOf(name, measure, stratum)),
          deviationOf(measure),
        ];
        const points = steps.map((step) => {
          const value =
            from +
            (to - from) * (1 - Math.exp(-step / 15)) * 1.07 +
            (step > 0 && step < 40 ? 0.2 * half * normal() : 0);
          const reach = step === 0 ? 0 : half * 0.8;
          return { step, mean: value, interval: [value - reach, value + reach] as const };
        });
        return { arm: name, measure, stratum, points };
      }),
    ),
  );
  const collapse = catalog.flatMap(([measure]) =>
    all.map((stratum) => {
      const [from, to, half] = [
        start[measure]![stratum]!,
        mean(valuesOf('uniform', measure, stratum)),
        deviationOf(measure),
      ];
      const interval = [to - from - 0.7 * half, to - from + 0.7 * half] as const;
      return { measure, stratum, start: from, end: to, interval, changeInDeviations: (to - from) / half };
    }),
  );

  const tilts: Readonly<Record<string, number>> = { 'ess-0.5': 1.2, 'ess-0.2': 2.4, 'ess-0.2-corrected': 2.4 };
  const draws = ['sampler', 'topic rank', 'source', 'sentence-encoder density'].flatMap((rarity) =>
    arms.map(({ name, sampler }) => {
      const agrees = { sampler: 1, 'topic rank': 0.7, source: 0.25 }[rarity] ?? 0.8;
      const weights = Array.from(
        { length: 10 },
        (_, i) => Math.exp(((tilts[name] ?? 0) * agrees * (4.5 - i)) / 9) * (1 + 0.03 * normal()),
      );
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return {
        arm: name,
        rarity,
        deciles: weights.map((weight) => weight / total),
        rankCorrelation: sampler.kind === 'uniform' ? null : agrees,
      };
    }),
  );
  const byDecile = ['distinct-good', 'good', 'reward', 'on-topic'].flatMap((measure) =>
    arms.map(({ name }) => ({
      arm: name,
      measure,
      deciles: Array.from({ length: 10 }, (_, i) => {
        const value = mean(valuesOf(name, measure, 'all')) * (0.8 + 0.04 * i) + deviationOf(measure) * normal();
        const reach = 1.2 * deviationOf(measure);
        return { prompts: 7, mean: value, interval: [value - reach, value + reach] as const };
      }),
    })),
  );
  const topics = [
    'a cracked phone screen',
    'a delayed parcel',
    'a heat pump that ices up',
    'a lost library card',
    'mould behind a wardrobe',
    'a noisy gearbox',
  ];
  const answers = Array.from({ length: prompts }, (_, i) => ({
    id: `held-out-${i}${insert}`,
    prompt: `What can I do about ${topics[i % topics.length]}? It started ${i + 2} days ago.${insert}`,
    stratum: strata[i % 3]!,
    answers: ['start', ...arms.map((arm) => arm.name)].flatMap((arm, place) =>
      [1, 2].map((seed) => ({
        arm,
        seed: arm === 'start' ? null : seed,
        text: `First, look at ${topics[i % topics.length]} closely — then ask the shop for help. ${'Keep the receipt and note the date. '.repeat(1 + ((place + seed) % 3))}${insert}`,
        reward: 0.05 + 0.4 * random(),
        good: place === 2 ? null : random() > 0.4,
      })),
    ),
  }));

  const digests = { model: 'a3f1', prompts: '77c0', heldOut: '05be', code: '9d2e' };
  return {
    version: 1,
    created: '2026-11-30T18:20:00Z',
    verdict: {
      kind: 'effect',
      headline: `Drawing rare prompts more often kept more distinct good answers than uniform draws, at both strengths.${insert}`,
      findings: [
        `At ESS/N 0.2, runs end with 2.61 distinct good answers per prompt, against 2.29 under uniform draws: +0.32 (+0.21 to +0.43, Holm p 0.0008).${insert}`,
        'That is 41 % of what uniform training lost.',
        'The placebo, the same weights on random prompts, changed nothing that could be found (difference −0.01; detectable 0.21).',
      ],
      limits: [
        `One small model and one made-up reward: nothing follows for larger models.${insert}`,
        'Answers to crowded prompts did not differ by more than 0.21, which is as much as these runs can find.',
        'Em-dashes vary so much between runs that only a change by 4.7 of 20.9 could have been found.',
      ],
    },
    checks: [
      {
        name: `Draws reach rare prompts${insert}`,
        status: 'ok',
        text: 'By topic rank, the rarest tenth got 24 % of the draws at ESS/N 0.2, against 10 % under uniform draws.',
      },
      {
        name: 'Uniform training collapses',
        status: 'ok',
        text: 'Distinct good answers fell by 0.68, 5 standard deviations of a run.',
      },
      { name: 'The base can answer', status: 'warning', text: '8.1 % of its answers are garbled; the gate is 8 %.' },
      {
        name: 'The sampler agrees with other rarities',
        status: 'failed',
        text: 'The density agrees with source with a rank correlation of 0.25 only.',
      },
    ],
    plan: {
      version: 1,
      name: `Does rarity keep answers varied?${insert}`,
      hypothesis: `Sampling prompts inversely to their density keeps answers to held-out prompts more varied, at the same quality, than uniform sampling.${insert}`,
      created: '2026-11-30T15:00:00Z',
      arms,
      seeds,
      stopping: `When ${seeds.length} seeds per arm are complete.${insert}`,
      primary: 'distinct-good',
      secondary: catalog.slice(1, 9).map(([name]) => name),
      alpha: 0.05,
      power: 0.8,
      strata,
      heldOut: Array.from({ length: 72 }, (_, i) => ({ id: `held-out-${i}`, stratum: strata[i % 3]! })),
      gates: { garbled: 0.08 },
      rarities: ['topic rank', 'source', 'sentence-encoder density'],
      settings: { steps: 40, batchSize: 16, groupSize: 4, learningRate: 1e-4, maxCompletionLength: 64, note: insert },
      digests,
      command: 'rarefy compare examples/hypothesis/experiment.mjs --out out/hypothesis',
    },
    departures: [{ kind: 'looked-early', text: `The report was made with 40 of 48 runs on 2026-11-30.${insert}` }],
    baseline: 'uniform',
    arms: arms.map((arm) => ({ arm, runs: seeds.length, cpuSeconds: 8 * 95 + 10 * random() })),
    strata: strata.map((name) => ({ name, prompts: 24 })),
    measures: catalog.map(([name, label, better]) => ({
      name,
      label: label + insert,
      scope: 'prompt',
      better,
      controls: ['words', 'garbled', 'terminated'].filter((control) => control !== name),
    })),
    start,
    runs,
    effects,
    collapse,
    curves,
    draws,
    density: {
      edges: Array.from({ length: 31 }, (_, i) => 0.6 * 1.06 ** i),
      counts: Array.from({ length: 30 }, (_, i) => Math.round(240 * Math.exp(-(((i - 13) / 6) ** 2)))),
      logarithmic: true,
    },
    byDecile,
    variance: [
      {
        measure: 'distinct-good',
        runs: 0.31,
        prompts: 0.52,
        answers: 0.17,
        advice: `Take more held-out prompts: most of the variance lies between prompts.${insert}`,
      },
      {
        measure: 'em-dashes',
        runs: 0.92,
        prompts: 0.03,
        answers: 0.05,
        advice: 'Run more seeds: most of the variance lies between runs.',
      },
    ],
    answers,
    commands: [
      'git checkout 9d2e41c && npm install && npm run build',
      'npx rarefy compare examples/hypothesis/experiment.mjs --out out/hypothesis --processes 2 --memory 3GB',
      `npx rarefy compare --report out/hypothesis${insert}`,
    ],
    environment: { node: 'v20.19.4', backend: 'tfjs-node 4.22.0', device: `2 cores of an AMD EPYC${insert}` },
  };

  function valuesBy(value: (entry: (typeof catalog)[number], stratum: string) => number) {
    return Object.fromEntries(
      catalog.map((entry) => [entry[0], Object.fromEntries(all.map((stratum) => [stratum, value(entry, stratum)]))]),
    );
  }
}
