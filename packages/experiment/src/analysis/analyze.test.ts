import { counterRandom, type Embedder } from '@rarefy/core';
import { expect, test } from 'vitest';
import { armSets } from '../arms/arm-sets.js';
import { armWeights } from '../arms/arm-weights.js';
import type { Departure, Plan } from '../plan/plan.js';
import type { Evaluation, ExperimentRecord, RunRecord } from '../runs/run-record.js';
import { analyze } from './analyze.js';
import { embedAnswers } from './embed-answers.js';
import { reportFiles } from './report-files.js';

const strata = ['head', 'mid', 'tail'];
const heldOut = Array.from({ length: 12 }, (_, index) => ({
  id: `p${index}`,
  prompt: `=Question ${index}, "please"`,
  stratum: strata[index % 3]!,
}));
const digests = { model: 'm', prompts: 'p', heldOut: 'h', code: 'c' };
const plan: Plan = {
  version: 1,
  name: 'synthetic',
  hypothesis: 'Rare prompts keep answers varied.',
  created: '2026-01-01T00:00:00Z',
  arms: [armSets.claim[0]!, armSets.claim[2]!, armSets.claim[3]!],
  seeds: [1, 2, 3, 4, 5, 6],
  stopping: 'after all seeds',
  primary: 'distinct-good',
  secondary: ['em-dashes', 'vocabulary-ratio', 'vendi-prompt'],
  alpha: 0.05,
  power: 0.8,
  strata,
  heldOut: heldOut.map(({ id, stratum }) => ({ id, stratum })),
  gates: { garbled: 0.4, onTopic: { head: 0.3 } },
  rarities: ['topic'],
  settings: { evaluation: { answers: 6, k: 3 } },
  digests,
  command: 'rarefy compare',
};

/** Answers of a model that repeats itself: the same text with the probability `repetition`. */
function evaluation(step: number, seed: number, repetition: number, answers = 6): Evaluation {
  const random = counterRandom(seed);
  let next = 0;
  const uniform = () => random.uniform(next++);
  return {
    step,
    answers: heldOut.flatMap(({ id }) =>
      Array.from({ length: answers }, (_, index) => {
        const isStock = uniform() < repetition;
        const text = Array.from({ length: 16 + Math.floor(8 * uniform()) }, (_, word) =>
          isStock ? `stock${word}` : `${uniform() < 0.05 ? '— ' : ''}word${Math.floor(500 * uniform() ** 2)}`,
        ).join(' ');
        const reward = uniform() + (step > 0 ? 0.1 : 0);
        const draws = [uniform(), uniform()] as const;
        const known = { ...(isStock && { class: 'stock' }), onTopic: draws[0] < 0.8, garbled: draws[1] < 0.1 };
        return {
          id,
          index,
          text,
          tokens: 25,
          terminated: true,
          reward,
          logProbability: -30,
          startLogProbability: -32,
          ...known,
        };
      }),
    ),
  };
}

const prompts = 200;
const density = Float64Array.from({ length: prompts }, (_, prompt) => 1 + (prompt % 50));
const topic = Float64Array.from({ length: prompts }, (_, prompt) => Math.ceil((1 + (prompt % 50)) / 10));

/** `repetition` by arm, after training. */
function recordOf(repetition: Record<string, number>, seeds = plan.seeds, rarity = topic): ExperimentRecord {
  const runs = plan.arms.flatMap((arm, armIndex) =>
    seeds.map((seed): RunRecord => {
      const { weights } = armWeights(arm, density, { seed });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const end = repetition[arm.name]!;
      const stream = 1000 * armIndex + 10 * seed;
      return {
        config: {
          version: 1,
          arm,
          seed,
          streamSeed: seed,
          settings: {},
          digests,
          backend: { name: 'wasm', device: 'cpu' },
          versions: {},
          started: '2026-01-01T00:00:00Z',
        },
        costs: {
          finished: `2026-01-02T00:00:0${seed}Z`,
          steps: 40,
          cpuSeconds: 100,
          wallSeconds: 60,
          peakBytes: 1e9,
          trainedTokens: 50_000 + seed,
        },
        drawCounts: Uint32Array.from(weights, (weight) => Math.round((640 * weight) / total)),
        evaluations: [evaluation(20, stream + 1, end / 2, 4), evaluation(40, stream + 2, end)],
        metrics: [],
      };
    }),
  );
  return {
    start: evaluation(0, 7, 0.1),
    runs,
    densities: { 'encoder-knn': density },
    heldOutDensity: Float64Array.from({ length: heldOut.length }, (_, index) => (7 * index) % 12),
    commonness: { topic: rarity },
  };
}

const report = (record: ExperimentRecord, departures: readonly Departure[] = []) =>
  analyze({ plan, record, heldOut, departures, commands: ['rarefy compare x.ts'], environment: { node: '20' } });

const collapsed = { uniform: 0.9, 'ess-0.2': 0.4, 'shuffled-0.2': 0.88 };
const whole = report(recordOf(collapsed));

test('a large effect of the density-aware arm alone is found, with its direction and against the placebo', () => {
  expect(whole.verdict.kind).toBe('effect');
  expect(whole.verdict.headline).toMatch(/^Distinct good answers per prompt, against uniform: higher in ess-0.2 \(\+/);
  expect(whole.verdict.findings.join('\n')).toContain(
    'rarity, not concentration of the draws alone, explains the effect',
  );
  expect(whole.checks.filter(({ status }) => status === 'failed')).toEqual([]);
  const effect = whole.effects.find(({ family, arm }) => family === 'primary' && arm === 'ess-0.2')!;
  expect(effect.p).toBeCloseTo(2 / 924, 10);
  expect(effect.pHolm).toBeCloseTo(4 / 924, 10);
  expect(effect.shareAverted).toBeGreaterThan(0.3);
  expect(effect.bootstrapInterval![0]).toBeGreaterThan(0);
});

test('every part of the report is there', () => {
  expect(whole.draws).toHaveLength(3 * 2);
  for (const { deciles } of whole.draws) expect(deciles.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  expect(whole.strata).toEqual(strata.map((name) => ({ name, prompts: 4 })));
  expect(whole.arms.map(({ runs, cpuSeconds }) => [runs, cpuSeconds])).toEqual([
    [6, 600],
    [6, 600],
    [6, 600],
  ]);
  const curve = whole.curves.find((entry) => entry.measure === 'reward' && entry.stratum === 'all')!;
  expect(curve.points.map(({ step }) => step)).toEqual([0, 20, 40]);
  expect(whole.byDecile[0]!.deciles.reduce((sum, { prompts: count }) => sum + count, 0)).toBe(12);
  expect(whole.variance.map(({ measure }) => measure)).toEqual(['distinct-good', 'reward', 'words', 'em-dashes']);
  for (const { runs, prompts: ofPrompts, answers } of whole.variance)
    expect(runs + ofPrompts + answers).toBeCloseTo(1, 10);
  expect(whole.answers).toHaveLength(6);
  expect(whole.answers[0]!.answers.map(({ arm, seed }) => [arm, seed])).toEqual([
    ['start', null],
    ['start', null],
    ['uniform', 1],
    ['uniform', 2],
    ['ess-0.2', 1],
    ['ess-0.2', 2],
    ['shuffled-0.2', 1],
    ['shuffled-0.2', 2],
  ]);
  expect(whole.density.counts.reduce((sum, count) => sum + count, 0)).toBe(prompts);
  expect(whole.created).toBe('2026-01-02T00:00:06Z');
});

test('the same records give the same files, with no number that JSON lacks', () => {
  const files = reportFiles(whole);
  expect(reportFiles(report(recordOf(collapsed)))).toEqual(files);
  const parsed = JSON.parse(files['report.json']!);
  expect(parsed).toEqual(JSON.parse(JSON.stringify(whole)));
  // JSON.stringify writes null for NaN and infinity, so a number that is one differs after the round trip.
  expect(parsed).toEqual(whole);
  expect(files['report.json']).toContain('"answers": [');
  const lines = files['effects.csv']!.trimEnd().split('\r\n');
  expect(lines).toHaveLength(1 + whole.effects.length);
  for (const line of lines) expect(line.split(',')).toHaveLength(19);
  expect(files['curves.csv']!.split('\r\n')[0]).toBe('arm,measure,stratum,step,mean,lower,upper');
  expect(files['runs.csv']).toContain('start,,reward,all,');
});

test('embedded answers add the measures of meaning after training', async () => {
  const record = recordOf(collapsed);
  const seen: string[] = [];
  const lengths: Embedder = {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: 'letters',
    capabilities: {
      dimensions: 2,
      maxBatch: 8,
      maxConcurrency: 1,
      normalized: false,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(items) {
      seen.push(...items);
      const data = Float32Array.from(items.flatMap((text) => [text.length, text.split('1').length]));
      return { embeddings: { data, rows: items.length, cols: 2 } };
    },
    async [Symbol.asyncDispose]() {},
  };
  const blank = {
    ...record.start,
    answers: record.start.answers.map((answer, row) => (row === 0 ? { ...answer, text: ' ' } : answer)),
  };
  const embeddings = await embedAnswers({ ...record, start: blank }, lengths);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).not.toContain(' ');
  const { data, rows } = embeddings(blank)!;
  expect(rows).toBe(72);
  expect([...data.subarray(0, 2)]).toEqual([0, 0]);
  expect(data[2]).toBe(blank.answers[1]!.text.length);
  expect(embeddings(record.runs[0]!.evaluations[0]!)).toBeUndefined();

  const { effects, checks, curves } = analyze({
    ...{ plan, record: { ...record, start: blank }, heldOut, departures: [], commands: [], environment: {} },
    embeddings,
  });
  expect(effects.some(({ measure, family }) => measure === 'vendi-prompt' && family === 'secondary')).toBe(true);
  expect(checks.find(({ name }) => name === 'values')!.status).toBe('ok');
  const vendi = curves.find(({ measure, stratum }) => measure === 'vendi-prompt' && stratum === 'all')!;
  expect(vendi.points.map(({ step }) => step)).toEqual([0, 40]);
});

test('runs beyond the plan do not count', () => {
  const record = recordOf(collapsed, [...plan.seeds, 7]);
  const departures: Departure[] = [{ kind: 'runs-added', text: '3 runs beyond the plan.' }];
  const { runs, effects, checks } = report(record, departures);
  expect(runs).toEqual(whole.runs);
  expect(effects).toEqual(whole.effects);
  expect(checks.find(({ name }) => name === 'plan')).toMatchObject({ status: 'warning' });
  expect(() => report({ ...record, runs: record.runs.slice(6, 7) })).toThrow('no finished run');
});

test('draws that are rare to the sampler alone, mispaired runs and shorter runs are not answered', () => {
  const unrelated = Float64Array.from({ length: prompts }, (_, prompt) => 1 + (Math.floor(prompt / 50) % 4));
  const untreated = report(recordOf(collapsed, plan.seeds, unrelated)).verdict;
  expect(untreated.kind).toBe('cannot-answer');
  expect(untreated.headline).toContain('No independent rarity shows more draws of rare prompts in ess-0.2');
  const changed = (change: (run: RunRecord) => RunRecord) => {
    const record = recordOf(collapsed);
    return report({ ...record, runs: record.runs.map((run, index) => (index === 8 ? change(run) : run)) }).verdict;
  };
  const mispaired = changed((run) => ({ ...run, config: { ...run.config, streamSeed: 99 } }));
  expect(mispaired).toMatchObject({ kind: 'cannot-answer', headline: expect.stringContaining('ess-0.2 with seed 3') });
  const shorter = changed((run) => ({ ...run, costs: { ...run.costs, steps: 30 } }));
  expect(shorter).toMatchObject({ kind: 'cannot-answer', headline: expect.stringContaining('30 and 40') });
});

test('one run per arm gives a report without effects', () => {
  const { verdict, effects, variance, curves } = report(recordOf(collapsed, [1]));
  expect(verdict.kind).toBe('cannot-answer');
  expect(verdict.limits.join(' ')).toContain('One seed proves nothing');
  expect([effects, variance]).toEqual([[], []]);
  expect(curves[0]!.points.at(-1)!.interval[0]).toBe(curves[0]!.points.at(-1)!.mean);
});
