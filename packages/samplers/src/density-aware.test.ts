import {
  type Embedder,
  InvalidArgumentError,
  InvalidWeightsError,
  ShapeError,
  StateMismatchError,
  type Weighting,
  type WorkEvent,
} from '@rarefy/core';
import { compose, inverseDensity, knnDistance, rarestPositions, targetEss } from '@rarefy/density';
import { clusters, letterEmbedder, samplerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test, vi } from 'vitest';
import { densityAwareSampler } from './density-aware.js';
import { weightedSampler } from './weighted.js';

/** 100 crowded prompts and 100 rare ones. */
const points = clusters([0.02, 0.6], 100, 16, 1);
const rows = Array.from({ length: 200 }, (_, row) => row);

/** Its items are row numbers of `points`. */
const rowEmbedder: Embedder<number> = {
  specificationVersion: 'v1',
  kind: 'embedder',
  fingerprint: 'rows',
  capabilities: { ...letterEmbedder().capabilities, dimensions: 16, maxBatch: 7 },
  async embedBatch(items, { signal } = {}) {
    signal?.throwIfAborted();
    const data = Float32Array.from(items.flatMap((row) => Array.from(points.data.subarray(row * 16, (row + 1) * 16))));
    return { embeddings: { data, rows: items.length, cols: 16 } };
  },
  async [Symbol.asyncDispose]() {},
};

describeChecks(
  'densityAwareSampler',
  samplerChecks({ create: () => densityAwareSampler(rows, { embedder: rowEmbedder, seed: 4 }) }),
);

test('is the weighted sampler of the inverse density of the embeddings', async () => {
  const sampler = await densityAwareSampler(rows, { embedder: rowEmbedder, seed: 4 });
  const density = await knnDistance({ k: 10 }).fit(points);
  expect(sampler.density).toEqual(density);
  expect(sampler.weights()).toEqual(inverseDensity()(density));
  expect(sampler.draw(50)).toEqual(weightedSampler(inverseDensity()(density), { seed: 4 }).draw(50));
});

test('draws rare prompts as often as its report says (five standard errors, false alarm below 1e-6)', async () => {
  const weighting = compose(inverseDensity(), targetEss(0.5));
  const sampler = await densityAwareSampler(rows, { embedder: rowEmbedder, weighting, seed: 4 });
  const { report } = sampler;
  expect(report.essOverN).toBeCloseTo(0.5, 9);
  expect(report.rarest10Share).toBeGreaterThan(0.15);
  const order = rows.toSorted((a, b) => sampler.density[a]! - sampler.density[b]!);
  const rare = new Set(order.slice(0, 20));
  const { positions } = sampler.draw(100_000);
  const share = positions.filter((position) => rare.has(position)).length / 100_000;
  const deviation = Math.sqrt((report.rarest10Share * (1 - report.rarest10Share)) / 100_000);
  expect(Math.abs(share - report.rarest10Share)).toBeLessThan(5 * deviation);
});

test('takes updates and restores its state like any weighted sampler', async () => {
  const make = () => densityAwareSampler(rows, { embedder: rowEmbedder, seed: 4 });
  const sampler = await make();
  sampler.update({ version: 3, positions: Int32Array.of(5), weights: Float64Array.of(1e6) });
  expect(sampler.weightsVersion).toBe(3);
  const state = JSON.parse(JSON.stringify(sampler.state()));
  const expected = sampler.draw(20);
  const fresh = await make();
  fresh.restore(state);
  expect(fresh.draw(20)).toEqual(expected);
});

test('a sampler rebuilt from its saved weights takes its state; the weights decide, and not how they were made', async () => {
  const sampler = await densityAwareSampler(rows, { embedder: rowEmbedder, seed: 4 });
  const saved = JSON.stringify([...sampler.weights()]);
  sampler.draw(7);
  sampler.update({ version: 3, positions: Int32Array.of(5), weights: Float64Array.of(1e6) });
  sampler.draw(7);
  const state = JSON.stringify(sampler.state());
  const expected = sampler.draw(50);

  const rebuilt = weightedSampler(JSON.parse(saved), { seed: 4 });
  expect(rebuilt.fingerprint).toBe(sampler.fingerprint);
  rebuilt.restore(JSON.parse(state));
  expect(rebuilt.draw(50)).toEqual(expected);
  const back = await densityAwareSampler(rows, { embedder: { ...rowEmbedder, fingerprint: 'other' }, seed: 4 });
  back.restore(JSON.parse(JSON.stringify(rebuilt.state())));
  expect(back.draw(20)).toEqual(sampler.draw(20));

  const otherWeights = await densityAwareSampler(rows, {
    embedder: rowEmbedder,
    estimator: knnDistance({ k: 9 }),
    seed: 4,
  });
  for (const other of [otherWeights, weightedSampler(JSON.parse(saved), { seed: 5 })]) {
    expect(() => other.restore(JSON.parse(state))).toThrow(StateMismatchError);
  }
});

test('takes prompt records as the loader does, and embeds their prompts', async () => {
  const texts = Array.from({ length: 12 }, (_, row) => `${'why '.repeat(row % 7)}is ${row} a number?`);
  const options = { embedder: letterEmbedder(), estimator: knnDistance({ k: 3 }), seed: 4 };
  const expected = (await densityAwareSampler(texts, options)).weights();
  const records = texts.map((prompt, row) => ({ id: `p${row}`, prompt }));
  expect((await densityAwareSampler(records, options)).weights()).toEqual(expected);
  const mixed = [...records.slice(0, 5), ...texts.slice(5)];
  expect((await densityAwareSampler(mixed, options)).weights()).toEqual(expected);
  // Other items reach the embedder as they are.
  const seen: unknown[] = [];
  const { embedRows: _, ...rest } = rowEmbedder;
  const own: Embedder<{ readonly prompt: readonly string[] }> = {
    ...rest,
    async embedBatch(items) {
      seen.push(...items);
      return rowEmbedder.embedBatch(items.map(({ prompt }) => prompt.length));
    },
  };
  const items = Array.from({ length: 12 }, (_, row) => ({ prompt: Array<string>(row).fill('') }));
  await densityAwareSampler(items, { embedder: own, seed: 4 });
  expect(seen).toEqual(items);
  // @ts-expect-error the embedder gets the prompts of records, which are texts
  const refused = densityAwareSampler(records, { embedder: rowEmbedder, seed: 4 });
  await expect(refused).rejects.toThrow();
});

test('an unknown option is refused before any work', async () => {
  const base = { embedder: rowEmbedder, seed: 4 };
  for (const [options, message] of [
    [{ density: knnDistance() }, 'densityAwareSampler has no option "density"'],
    [{ weightings: inverseDensity() }, 'did you mean "weighting"?'],
    [{ strength: { targetEss: 0.5 } }, 'it has the options "embedder", "estimator", "weighting"'],
  ] as const) {
    const refused = densityAwareSampler(rows, { ...base, ...options } as typeof base);
    await expect(refused).rejects.toThrow(InvalidArgumentError);
    await expect(refused).rejects.toThrow(message);
  }
});

test('a target ESS without a weighting is refused, for it would favor crowded prompts in its draws', async () => {
  const weighting = targetEss(0.5) as unknown as Weighting;
  const refused = densityAwareSampler(rows, { embedder: rowEmbedder, weighting, seed: 4 });
  await expect(refused).rejects.toThrow('compose(inverseDensity(), targetEss(0.5))');
  // What it would have drawn: density taken for weight.
  const density = await knnDistance({ k: 10 }).fit(points);
  const rare = new Set(rarestPositions(density, 0.1));
  const shareOfRare = (weights: Float64Array) =>
    weightedSampler(weights, { seed: 4 })
      .draw(20_000)
      .positions.filter((position) => rare.has(position)).length / 20_000;
  expect(shareOfRare(targetEss(0.5)(density))).toBeLessThan(0.02);
  expect(shareOfRare(compose(inverseDensity(), targetEss(0.5))(density))).toBeGreaterThan(0.15);
});

test('reports its work and its warnings', async () => {
  const events: WorkEvent[] = [];
  const onEvent = (event: WorkEvent) => events.push(event);
  const options = { embedder: rowEmbedder, seed: 4, batchSize: 50, onEvent };
  const { report } = await densityAwareSampler(rows, { ...options, weighting: inverseDensity({ exponent: 0 }) });
  expect(events.filter(({ type, task }) => type === 'work-progress' && task === 'embed').length).toBe(
    Math.ceil(200 / 7),
  );
  expect(events.some(({ task }) => task === 'self-join')).toBe(true);
  const warnings = events.filter((event) => event.type === 'work-warning');
  expect(warnings.map(({ message }) => message)).toEqual(report.warnings);
  expect(warnings[0]?.message).toContain('nearly uniform');
});

test('without onEvent, its warnings go to the console', async () => {
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    const weighting = inverseDensity({ exponent: 0 });
    const { report } = await densityAwareSampler(rows, { embedder: rowEmbedder, seed: 4, weighting });
    expect(printed.mock.calls).toEqual([[`weigh: ${report.warnings[0]}`]]);
  } finally {
    printed.mockRestore();
  }
});

test('rejects with the reason of its signal, and with the errors of its parts', async () => {
  const base = { embedder: rowEmbedder, seed: 4 };
  const reason = new Error('enough');
  await expect(densityAwareSampler(rows, { ...base, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(densityAwareSampler([], base)).rejects.toThrow('there are no prompts');
  await expect(densityAwareSampler([1, 2, 3], base)).rejects.toThrow('k = 10 neighbors need at least 11 rows');
  await expect(densityAwareSampler(rows, { ...base, seed: 0.5 })).rejects.toBeInstanceOf(InvalidArgumentError);
  const zero = () => new Float64Array(200);
  await expect(densityAwareSampler(rows, { ...base, weighting: zero })).rejects.toBeInstanceOf(InvalidWeightsError);
  const short = () => new Float64Array(3).fill(1);
  await expect(densityAwareSampler(rows, { ...base, weighting: short })).rejects.toBeInstanceOf(ShapeError);
  const broken = { ...knnDistance(), fit: async () => new Float64Array(3).fill(1) };
  await expect(densityAwareSampler(rows, { ...base, estimator: broken })).rejects.toThrow('3 values for 200 prompts');
});

test('refuses an embedder that is none, and prompts that are no list', async () => {
  for (const [embedder, message] of [
    [undefined, 'got undefined'],
    [Promise.resolve(rowEmbedder), 'got a promise; did you forget await?'],
    [() => rowEmbedder, 'got a function; call the function that makes one'],
  ] as const) {
    const refused = densityAwareSampler(rows, { embedder: embedder as unknown as Embedder<number>, seed: 4 });
    await expect(refused).rejects.toThrow(InvalidArgumentError);
    await expect(refused).rejects.toThrow(`densityAwareSampler needs an embedder, ${message}`);
  }
  for (const [prompts, message] of [
    ['abc', 'got a string; give an array, such as [text]'],
    [undefined, 'got undefined'],
    [Promise.resolve(rows), 'got a promise; did you forget await?'],
  ] as const) {
    const refused = densityAwareSampler(prompts as unknown as number[], { embedder: rowEmbedder, seed: 4 });
    await expect(refused).rejects.toThrow(
      new InvalidArgumentError(`densityAwareSampler needs a list of items, ${message}`),
    );
  }
});
