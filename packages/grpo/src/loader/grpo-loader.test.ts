import { getEventListeners } from 'node:events';
import { counterRandom, type Draws, InvalidArgumentError, type Sampler, StateMismatchError } from '@rarefy/core';
import { mixtureSampler, shard, uniformSampler, type WeightedSampler, weightedSampler } from '@rarefy/samplers';
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import type { Dataset } from '@tensorflow/tfjs-data';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import {
  type GrpoLoader,
  grpoLoader,
  type LoaderOptions,
  type LoaderState,
  type PromptBatch,
  promptRows,
  promptTexts,
} from './grpo-loader.js';
import type { BatchDataset } from './to-dataset.js';

const prompts = Array.from({ length: 10 }, (_, index) => `prompt ${index}`);

/** Draw n is position 7n + shift mod 10. `shift` can be changed like weights, and `observe` changes it. */
function testSampler({ length = Infinity, adaptive = false, plain = false } = {}) {
  let drawn = 0;
  let version = 0;
  let shift = 0;
  const sampler: Sampler & { update(newVersion: number): void } = {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint: 'test',
    capabilities: { replacement: true, finite: length < Infinity, adaptive },
    draw(count): Draws {
      const taken = Math.min(count, length - drawn);
      const positions = Int32Array.from({ length: taken }, (_, index) => (7 * (drawn + index) + shift) % 10);
      const first = drawn;
      drawn += taken;
      return plain ? { positions } : { positions, first, version, probabilities: new Float64Array(taken).fill(0.1) };
    },
    observe: () => void shift++,
    update(newVersion) {
      version = newVersion;
      shift++;
    },
    state: () => ({ version: 1, fingerprint: 'test', payload: { drawn, version, shift } }),
    restore(state) {
      if (state.fingerprint !== 'test') throw new StateMismatchError('another sampler');
      ({ drawn, version, shift } = state.payload as { drawn: number; version: number; shift: number });
    },
  };
  return sampler;
}

async function take<Prompt>(loader: GrpoLoader<Prompt>, count: number): Promise<PromptBatch<Prompt>[]> {
  const batches: PromptBatch<Prompt>[] = [];
  if (count === 0) return batches;
  for await (const batch of loader) {
    batches.push(batch);
    if (batches.length === count) break;
  }
  return batches;
}

const json = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value));

describe('grpoLoader', () => {
  test('hands over the draws of the sampler in order, with their prompts and probabilities', async () => {
    const loader = grpoLoader(prompts, { sampler: testSampler(), batchSize: 3, groupSize: 2 });
    const batches = await take(loader, 3);
    expect(batches.map(({ positions }) => [...positions])).toEqual([
      [0, 7, 4],
      [1, 8, 5],
      [2, 9, 6],
    ]);
    expect(batches[1]).toMatchObject({
      step: 2,
      prompts: ['prompt 1', 'prompt 8', 'prompt 5'],
      groupSize: 2,
      first: 3,
      version: 0,
      staleness: 0,
      probabilities: Float64Array.of(0.1, 0.1, 0.1),
    });
    expect([loader.size, loader.sampler.kind]).toEqual([10, 'sampler']);
  });

  test('fills in what a sampler does not report', async () => {
    const [, second] = await take(grpoLoader(prompts, { sampler: testSampler({ plain: true }) }), 2);
    expect(second).toMatchObject({ first: 32, version: 0, staleness: 0, probabilities: undefined, groupSize: 8 });
    expect(second!.positions.length).toBe(32);
  });

  test('promptRows repeats each prompt groupSize times, with adjacent copies', async () => {
    const [batch] = await take(grpoLoader(prompts, { sampler: testSampler(), batchSize: 2, groupSize: 3 }), 1);
    const rows = promptRows(batch!);
    expect([...rows.positions]).toEqual([0, 0, 0, 7, 7, 7]);
    expect(rows.prompts).toEqual([...rows.positions].map((position) => prompts[position]));
  });

  test('the state after any batch gives the same batches that follow, independent of what was drawn ahead before and after', async () => {
    const settings = fc.record({
      batchSize: fc.integer({ min: 1, max: 5 }),
      before: fc.integer({ min: 0, max: 4 }),
      after: fc.integer({ min: 0, max: 4 }),
      consumed: fc.integer({ min: 1, max: 6 }),
    });
    const shown = (batches: readonly PromptBatch<string>[]) => batches.map(({ staleness, ...batch }) => batch);
    await fc.assert(
      fc.asyncProperty(settings, async ({ batchSize, before, after, consumed }) => {
        const whole = await take(grpoLoader(prompts, { sampler: testSampler(), batchSize, prefetch: 0 }), 10);
        const loader = grpoLoader(prompts, { sampler: testSampler(), batchSize, prefetch: before });
        const head = await take(loader, consumed);
        const state: LoaderState = json(head.at(-1)!.state);
        expect(loader.state()).toEqual(state);
        const resumed = grpoLoader(prompts, { sampler: testSampler(), batchSize, prefetch: after });
        resumed.restore(state);
        expect(resumed.state()).toEqual(state);
        expect(shown([...head, ...(await take(resumed, 10 - consumed))])).toEqual(shown(whole));
        // The first loader also continues, and can itself be set back.
        expect(shown(await take(loader, 10 - consumed))).toEqual(shown(whole).slice(consumed));
        loader.restore(state);
        expect(shown(await take(loader, 1))).toEqual(shown(whole).slice(consumed, consumed + 1));
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  test('staleness counts the weight versions between draw and hand-over', async () => {
    const staleness = async (prefetch: number) => {
      const sampler = testSampler();
      const seen: [version: number, staleness: number][] = [];
      for await (const batch of grpoLoader(prompts, { sampler, batchSize: 2, prefetch })) {
        seen.push([batch.version, batch.staleness]);
        if (batch.step === 2) sampler.update(1);
        if (batch.step === 3) sampler.update(2);
        if (batch.step === 7) break;
      }
      return seen;
    };
    // Batches 3 and 4 were drawn before the first update, batch 5 between the two.
    // biome-ignore format: one pair per batch
    expect(await staleness(2)).toEqual([[0, 0], [0, 0], [0, 1], [0, 2], [1, 1], [2, 0], [2, 0]]);
    // biome-ignore format: one pair per batch
    expect(await staleness(0)).toEqual([[0, 0], [0, 0], [1, 0], [2, 0], [2, 0], [2, 0], [2, 0]]);
  });

  test('nothing is drawn ahead from a sampler that learns, and state() contains what it learned', async () => {
    const run = async (sampler: Sampler, state?: LoaderState) => {
      const loader = grpoLoader(prompts, { sampler, batchSize: 2 });
      if (state) loader.restore(state);
      const positions: number[][] = [];
      for await (const batch of loader) {
        positions.push([...batch.positions]);
        sampler.observe!({ step: batch.step, positions: batch.positions });
        if (positions.length === 3) break;
      }
      return { positions, state: json(loader.state()) };
    };
    const first = await run(testSampler({ adaptive: true }));
    expect(first.positions).toEqual([
      [0, 7],
      [5, 2],
      [0, 7],
    ]);
    const second = await run(testSampler({ adaptive: true }), first.state);
    expect(second.positions[0]).toEqual([5, 2]);
    expect(second.state.step).toBe(6);
  });

  test('a run with updates, resumed after any of 1,000 steps, equals an uninterrupted run', async () => {
    const steps = casesOf(100, 1000);
    const random = counterRandom(8);
    const create = () => {
      const sampler = weightedSampler(new Float64Array(10).fill(1), { seed: 3 });
      return { sampler, loader: grpoLoader(prompts, { sampler, batchSize: 3 }) };
    };
    /** Updates during a step are in the state after it. */
    const step = async ({ sampler, loader }: ReturnType<typeof create>) => {
      const [batch] = await take(loader, 1);
      const at = (index: number) => random.uniform(8 * batch!.step + index);
      if (at(0) < 0.5) {
        const positions = Int32Array.of(Math.floor(10 * at(1)), Math.floor(10 * at(2)));
        sampler.update({ version: batch!.step, positions, weights: Float64Array.of(at(3), 1 + at(4)) });
      }
      return { ...batch!, after: json(loader.state()) };
    };
    const whole = create();
    const seen = [];
    for (let done = 0; done < steps + 3; done++) seen.push(await step(whole));
    expect(seen.at(-1)!.version).toBeGreaterThan(steps / 2);
    for (let done = 1; done <= steps; done++) {
      const resumed = create();
      resumed.loader.restore(seen[done - 1]!.after);
      const next = [await step(resumed), await step(resumed), await step(resumed)];
      expect(next).toEqual(seen.slice(done, done + 3));
    }
  });

  test('any number of shards continues from one state, independent of what was drawn ahead', async () => {
    const create = () => mixtureSampler([{ sampler: uniformSampler(10, { seed: 4 }), weight: 1 }], { seed: 5 });
    const ranksOf = (worldSize: number) =>
      Array.from({ length: worldSize }, (_, rank) =>
        grpoLoader(prompts, {
          sampler: shard(create(), { rank, worldSize }),
          batchSize: 12 / worldSize,
          prefetch: rank,
        }),
      );
    /** The stream of `batches` batches of 12 draws over all ranks. */
    const together = async (ranks: readonly GrpoLoader<string>[], batches: number) => {
      const drawn = await Promise.all(ranks.map((rank) => take(rank, batches)));
      const shares = drawn.map((share) => share.flatMap(({ positions }) => [...positions]));
      return Array.from(
        { length: 12 * batches },
        (_, draw) => shares[draw % ranks.length]![Math.floor(draw / ranks.length)],
      );
    };
    const before = ranksOf(4);
    const head = await together(before, 5);
    const states = new Set(before.map((loader) => JSON.stringify(loader.state().sampler)));
    expect(states.size).toBe(1);
    for (const worldSize of [1, 2, 3, 4]) {
      const after = ranksOf(worldSize);
      for (const loader of after) loader.restore(json(before[0]!.state()));
      expect([...head, ...(await together(after, 5))]).toEqual([...create().draw(120).positions]);
    }
  });

  test('the data set can grow: prompts first, then their weights', async () => {
    const growing = prompts.slice(0, 3);
    const sampler = weightedSampler([1, 1, 1], { seed: 2 });
    const loader = grpoLoader(growing, { sampler, batchSize: 20, importance: 'full' });
    expect((await take(loader, 1))[0]!.importance).toEqual(new Float64Array(20).fill(1));
    growing.push('late');
    sampler.add({ version: 1, weights: Float64Array.of(100) });
    expect(loader.size).toBe(4);
    const [batch] = await take(loader, 1);
    expect(batch!.prompts).toContain('late');
    expect(batch!.importance![batch!.prompts.indexOf('late')]).toBeCloseTo(0.25 / (100 / 103), 12);
    sampler.add({ version: 2, weights: Float64Array.of(1e6) });
    await expect(take(loader, 1)).rejects.toThrow('drew position 4 and there are 4 prompts');
  });

  test('ends with the sampler; a partial last batch is dropped', async () => {
    for (const prefetch of [0, 1, 5]) {
      const loader = grpoLoader(prompts, { sampler: testSampler({ length: 11 }), batchSize: 3, prefetch });
      expect((await take(loader, Infinity)).map(({ step }) => step)).toEqual([1, 2, 3]);
      expect(await take(loader, Infinity)).toEqual([]);
    }
    expect(await take(grpoLoader(prompts, { sampler: testSampler({ length: 0 }) }), Infinity)).toEqual([]);
  });

  test('takes one consumer at a time, and another after return, throw and abort', async () => {
    const stop = new AbortController();
    const loader = grpoLoader(prompts, { sampler: testSampler(), batchSize: 1, signal: stop.signal });
    const first = loader[Symbol.asyncIterator]();
    await first.next();
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toThrow(InvalidArgumentError);
    await first.return?.();
    const failure = new Error('step failed');
    const failing = async () => {
      for await (const batch of loader) if (batch.step === 3) throw failure;
    };
    await expect(failing()).rejects.toBe(failure);
    expect((await take(loader, 1))[0]!.step).toBe(4); // no batch is skipped or repeated

    const reason = new Error('enough');
    const aborted = async () => {
      for await (const batch of loader) if (batch.step === 6) stop.abort(reason);
    };
    await expect(aborted()).rejects.toBe(reason);
    await expect(aborted()).rejects.toBe(reason); // and not the error for a second consumer
  });

  test.each(['left early', 'thrown out of', 'aborted'])(
    '%s at 200 random points, it continues with the next batch and leaves nothing running',
    async (way) => {
      const random = counterRandom(21);
      const rejections: unknown[] = [];
      const note = (reason: unknown) => rejections.push(reason);
      process.on('unhandledRejection', note);
      const whole = await take(grpoLoader(prompts, { sampler: testSampler(), batchSize: 2 }), 30);
      const handles = process.getActiveResourcesInfo().length;
      for (let point = 0; point < 200; point++) {
        const pick = (choices: number, stream: number) => Math.floor(random.uniform(3 * point + stream) * choices);
        const controller = new AbortController();
        const sampler = testSampler();
        const loader = grpoLoader(prompts, {
          sampler,
          batchSize: 2,
          prefetch: [0, 1, 8, 64][pick(4, 0)]!,
          signal: controller.signal,
        });
        const last = 1 + pick(20, 1);
        const isSlow = pick(2, 2) === 0;
        let state: unknown;
        const consume = async () => {
          for await (const batch of loader) {
            state = batch.state;
            if (isSlow) await new Promise((resolve) => setImmediate(resolve));
            if (batch.step < last) continue;
            if (way === 'left early') return;
            if (way === 'thrown out of') throw new Error(way);
            controller.abort(new Error(way));
          }
        };
        if (way === 'left early') await consume();
        else await expect(consume()).rejects.toThrow(way);
        expect(getEventListeners(controller.signal, 'abort').length).toBe(0);
        const restored = grpoLoader(prompts, { sampler: testSampler(), batchSize: 2 });
        restored.restore(json(state as LoaderState));
        expect(await take(restored, 3)).toMatchObject(
          whole.slice(last, last + 3).map(({ positions, step }) => ({ positions, step })),
        );
        if (way !== 'aborted') expect((await take(loader, 1))[0]!.step).toBe(last + 1);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      process.off('unhandledRejection', note);
      expect(rejections).toEqual([]);
      const active = () => process.getActiveResourcesInfo().length;
      // Those of the test runner come and go.
      for (let turn = 0; turn < 400 && active() > handles; turn++) await new Promise((go) => setTimeout(go, 5));
      expect(active()).toBeLessThanOrEqual(handles);
    },
  );

  test('refuses invalid options, positions without a prompt and states of other loaders', async () => {
    const sampler = testSampler();
    expect(() => grpoLoader(prompts, { sampler, batchSize: 0 })).toThrow('batchSize must be an integer ≥ 1, got 0');
    expect(() => grpoLoader(prompts, { sampler, groupSize: 1.5 })).toThrow('groupSize');
    expect(() => grpoLoader(prompts, { sampler, prefetch: -1 })).toThrow(InvalidArgumentError);
    await expect(take(grpoLoader(prompts.slice(0, 7), { sampler }), 1)).rejects.toThrow(
      'the sampler drew position 7 and there are 7 prompts',
    );
    const loader = grpoLoader(prompts, { sampler: testSampler(), batchSize: 1 });
    const [batch] = await take(loader, 1);
    const { prompts: _, ...withoutPrompts } = batch!.state;
    const foreign = { ...batch!.state, sampler: { ...batch!.state.sampler, fingerprint: 'other' } };
    expect(() => loader.restore(foreign)).toThrow(StateMismatchError);
    for (const state of [
      null,
      undefined,
      3,
      {},
      withoutPrompts,
      { ...batch!.state, step: -1 },
      { ...batch!.state, draws: '1' },
    ]) {
      expect(() => loader.restore(state as LoaderState), `${state}`).toThrow(StateMismatchError);
    }
    expect((await take(loader, 1))[0]!.step).toBe(2); // a refused state changes nothing
  });

  test('a sampler that is none, and prompts that are no array, are refused', () => {
    const sampler = testSampler();
    for (const [given, options, message] of [
      [prompts, undefined, 'grpoLoader needs a sampler, got undefined'],
      [
        prompts,
        { sampler: Promise.resolve(sampler) },
        'grpoLoader needs a sampler, got a promise; did you forget await?',
      ],
      [prompts, { sampler: testSampler }, 'got a function; call the function that makes one'],
      [Promise.resolve(prompts), { sampler }, 'grpoLoader needs a list of items, got a promise'],
      [new Set(prompts), { sampler }, 'grpoLoader needs an array of items'],
    ] as const) {
      const create = () => grpoLoader(given as string[], options as unknown as LoaderOptions);
      expect(create).toThrow(InvalidArgumentError);
      expect(create).toThrow(message);
    }
  });

  test('a rollout gets texts, and prompts without any are refused', async () => {
    const textsOf = async (given: readonly unknown[]) => {
      const loader = grpoLoader(given, { sampler: testSampler(), batchSize: 2 });
      return promptTexts((await take(loader, 1))[0] as PromptBatch<{ prompt: string }>);
    };
    const records = prompts.map((prompt) => ({ prompt }));
    expect(await textsOf(records)).toEqual([
      { prompt: 'prompt 0', position: 0 },
      { prompt: 'prompt 7', position: 7 },
    ]);
    await expect(textsOf(prompts)).rejects.toThrow(
      'the prompt at position 0 is a string in place of a record; give the loader records, such as prompts.map((prompt) => ({ prompt }))',
    );
    await expect(textsOf(records.with(7, {} as never))).rejects.toThrow('position 7 has no text `prompt`');
  });

  test('a state is refused by other prompts, and taken by the same with more added', async () => {
    const create = (given: readonly unknown[]) => grpoLoader(given, { sampler: testSampler(), batchSize: 2 });
    const loader = create(prompts);
    await take(loader, 2);
    const state = json(loader.state());
    const [next] = await take(loader, 1);
    const more = create([...prompts, 'one more']);
    more.restore(state);
    expect((await take(more, 1))[0]!.positions).toEqual(next!.positions);

    const [first, second, ...rest] = prompts;
    const swapped = create([second, first, ...rest]);
    const before = swapped.state();
    expect(() => swapped.restore(state)).toThrow(StateMismatchError);
    expect(() => swapped.restore(state)).toThrow(
      'the prompts differ from those of the saved run, first at position 0, which now has "prompt 1"; give the loader the same prompts in the same order',
    );
    expect(swapped.state()).toEqual(before); // the sampler too
    expect(() => create(prompts.slice(1)).restore(state)).toThrow('had 10 prompts and the loader has 9');
    expect(() => create(prompts.with(6, 'other')).restore(state)).toThrow('first at one of the positions 4 to 7;');
  });

  test('a state with a changed bit is refused, or gives the same batches', async () => {
    const create = (): { sampler: WeightedSampler; loader: GrpoLoader<string> } => {
      const sampler = weightedSampler([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], { seed: 1 });
      return { sampler, loader: grpoLoader(prompts, { sampler, batchSize: 3 }) };
    };
    const { sampler, loader } = create();
    await take(loader, 12);
    sampler.update({ version: 4, positions: Int32Array.of(2, 3), weights: Float64Array.of(0, 40) });
    const bytes = Buffer.from(JSON.stringify(loader.state()));
    const expected = await take(loader, 2);
    const used = create().loader;
    let refused = 0;
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      try {
        used.restore(JSON.parse(changed.toString()));
      } catch (error) {
        if (!StateMismatchError.isInstance(error) && !(error instanceof SyntaxError)) throw error;
        refused++;
        continue;
      }
      expect(await take(used, 2), `bit ${bit}`).toEqual(expected);
    }
    expect(refused).toBeGreaterThan(4 * bytes.length);
  });

  test('invalid importance options are refused before anything is drawn', () => {
    const sampler = testSampler();
    const { drawn } = sampler.state().payload as { drawn: number };
    expect(() => grpoLoader(prompts, { sampler, importance: { beta: 2 } })).toThrow(
      'importance.beta must be in [0, 1]',
    );
    const target = new Float64Array(9).fill(1 / 9);
    expect(() => grpoLoader(prompts, { sampler, importance: 'full', target })).toThrow('9 probabilities');
    expect(sampler.state().payload).toMatchObject({ drawn });
  });

  test('a failing draw ahead does not change the state of what was handed over', async () => {
    const create = (broken: (positions: Int32Array) => ArrayLike<number>) => {
      const inner = testSampler();
      const draw: Sampler['draw'] = (count) => {
        const draws = inner.draw(count);
        return { ...draws, positions: (draws.first === 4 ? broken(draws.positions) : draws.positions) as Int32Array };
      };
      return { ...inner, draw };
    };
    for (const broken of [() => [0.5, 1], () => [1, 2, 3], () => [1, -1], () => [Number.NaN, 0]]) {
      const loader = grpoLoader(prompts, { sampler: create(broken), batchSize: 2, prefetch: 3 });
      const before = json(loader.state());
      await expect(take(loader, 1)).rejects.toThrow(InvalidArgumentError);
      expect(loader.state()).toEqual(before);
      const resumed = grpoLoader(prompts, { sampler: testSampler(), batchSize: 2 });
      resumed.restore(json(loader.state()));
      expect((await take(resumed, 1))[0]).toMatchObject({ step: 1, positions: Int32Array.of(0, 7) });
    }
  });
});

describe('toDataset', () => {
  test('gives the same batches, creates no tensors, and shares one stream with the loader', async () => {
    const options = { batchSize: 3, groupSize: 2 };
    const expected = await take(grpoLoader(prompts, { sampler: testSampler({ length: 13 }), ...options }), Infinity);
    const loader = grpoLoader(prompts, { sampler: testSampler({ length: 13 }), ...options });
    const tensors = tf.memory().numTensors;
    const dataset = await loader.toDataset();
    const seen: unknown[] = [];
    await dataset.take(2).forEachAsync((batch) => void seen.push(batch)); // dropped early
    seen.push(...(await take(loader, 1)));
    await dataset.forEachAsync((batch) => void seen.push(batch));
    expect(seen).toEqual(expected);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  describe('with stages that read ahead', () => {
    const size = 13;
    const steps = (batches: readonly unknown[]) => batches.map((batch) => (batch as { step: number }).step);
    const inOrder = [1, 2, 3, 4, 5, 6];
    const stages: Record<string, (dataset: BatchDataset<PromptBatch<string>>) => Dataset<tf.TensorContainer>> = {
      prefetch: (dataset) => dataset.prefetch(3),
      shuffle: (dataset) => dataset.shuffle(4, '7'),
      map: (dataset) => dataset.map((batch) => ({ ...batch }) as typeof batch),
      mapAsync: (dataset) => dataset.mapAsync(async (batch) => batch as tf.TensorContainer),
      'mapAsync and prefetch': (dataset) => dataset.mapAsync(async (batch) => batch as tf.TensorContainer).prefetch(4),
      filter: (dataset) => dataset.filter(() => true),
      take: (dataset) => dataset.take(6),
      skip: (dataset) => dataset.skip(0),
      repeat: (dataset) => dataset.repeat(1),
      concatenate: (dataset) => dataset.take(2).concatenate(dataset),
    };
    const read = async (stage: (typeof stages)[string]) => {
      const loader = grpoLoader(prompts, { sampler: testSampler({ length: size }), batchSize: 2 });
      const seen: unknown[] = [];
      await stage(await loader.toDataset()).forEachAsync((batch) => void seen.push(batch));
      return seen;
    };

    test.each(Object.keys(stages))('%s', async (name) => {
      const seen = steps(await read(stages[name]!));
      if (name === 'shuffle') expect(seen).not.toEqual(inOrder);
      expect(name === 'shuffle' ? seen.sort() : seen).toEqual(inOrder);
    });

    test('batch stacks the positions', async () => {
      const loader = grpoLoader(prompts, { sampler: testSampler({ length: size }), batchSize: 2 });
      const positions = (await loader.toDataset()).map(({ positions }) => ({ positions: tf.tensor1d(positions) }));
      const seen: number[][] = [];
      await positions.batch(3).forEachAsync((batch) => {
        const { positions } = batch as unknown as { positions: tf.Tensor };
        seen.push([...positions.shape]);
        positions.dispose();
      });
      expect(seen).toEqual([
        [3, 2],
        [3, 2],
      ]);
    });

    test('two iterators share the stream, and a failure reaches the call that it belongs to', async () => {
      const loader = grpoLoader(prompts, { sampler: testSampler({ length: 9 }), batchSize: 2 });
      const dataset = await loader.toDataset();
      const [one, two] = [await dataset.iterator(), await dataset.iterator()];
      const seen = await Promise.all([one.next(), two.next(), one.next(), two.next(), one.next()]);
      expect(steps(seen.slice(0, 4).map(({ value }) => value))).toEqual([1, 2, 3, 4]);
      expect(seen[4]!.done).toBe(true);
      const controller = new AbortController();
      const sampler = testSampler({ length: 9 });
      const stopped = await grpoLoader(prompts, { sampler, batchSize: 2, signal: controller.signal }).toDataset();
      const iterator = await stopped.iterator();
      expect((await iterator.next()).value.step).toBe(1);
      controller.abort(new Error('stop'));
      const failures = await Promise.allSettled([iterator.next(), iterator.next()]);
      expect(failures.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    });
  });

  test('a batch has its state, and the loader itself, which may have been read ahead of, has none', async () => {
    const create = () => grpoLoader(prompts, { sampler: testSampler(), batchSize: 2 });
    const loader = create();
    const fresh = loader.state();
    const iterator = await (await loader.toDataset()).prefetch(3).iterator();
    const trained: PromptBatch<string>[] = [];
    for (let step = 0; step < 3; step++) trained.push((await iterator.next()).value as PromptBatch<string>);
    expect(() => loader.state()).toThrow(InvalidArgumentError);
    expect(() => loader.state()).toThrow('save the `state` of the last batch that you trained on');
    const resumed = create();
    resumed.restore(json(trained[1]!.state));
    expect((await take(resumed, 1))[0]!.positions).toEqual(trained[2]!.positions);
    await new Promise((resolve) => setTimeout(resolve, 5));
    loader.restore(fresh);
    expect(loader.state()).toEqual(fresh);
  });

  test('uses the given module', async () => {
    const lib = await import('@tensorflow/tfjs-data');
    const loader = grpoLoader(prompts, { sampler: testSampler(), batchSize: 1 });
    const iterator = await (await loader.toDataset({ lib: { generator: lib.generator } })).iterator();
    const { value } = await iterator.next();
    expect(value.prompts).toEqual(['prompt 0']);
  });
});
