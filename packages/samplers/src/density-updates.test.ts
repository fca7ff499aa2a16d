import {
  type Embedder,
  InvalidArgumentError,
  StateMismatchError,
  type Weighting,
  type WeightUpdate,
} from '@rarefy/core';
import { compose, inverseDensity, knnDistance, targetEss } from '@rarefy/density';
import { lastValueFrom, NEVER, of, Subject, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type DensityUpdatesOptions,
  densityAwareSampler,
  densityUpdates,
  followUpdates,
  weightedSampler,
} from './index.js';

const prompts = Array.from({ length: 12 }, (_, position) => position);
const sampler = weightedSampler(new Float64Array(12).fill(1), { seed: 1 });
const options = {
  sampler,
  prompts,
  estimator: knnDistance({ k: 2 }),
  weighting: ((density) => density.map((value) => 1 / value)) satisfies Weighting,
  sliceSize: 4,
  timeShare: 1,
};

const rejections: unknown[] = [];
const note = (reason: unknown) => rejections.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(async () => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off('unhandledRejection', note);
  expect(rejections.splice(0)).toEqual([]);
});

/** Embeds prompt p as scale · p on a line; `log` records its calls. */
function lineEmbedder(
  scale: number,
  log: string[] = [],
  work: (slice: number) => void | Promise<void> = () => {},
): Embedder<number> {
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `line:${scale}`,
    capabilities: {
      dimensions: 1,
      maxBatch: 4,
      maxConcurrency: 1,
      normalized: false,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(items) {
      log.push(`${scale}:${items[0]}`);
      await work(items[0]!);
      return { embeddings: { data: Float32Array.from(items, (item) => scale * item), rows: items.length, cols: 1 } };
    },
    async [Symbol.asyncDispose]() {
      log.push(`${scale}:disposed`);
    },
  };
}

test('each policy leads to one update of all weights, and a sampler follows it', async () => {
  const log: string[] = [];
  const updates = await lastValueFrom(
    densityUpdates(of(2), { ...options, embedder: (scale) => lineEmbedder(scale, log) }).pipe(toArray()),
  );
  expect(updates).toHaveLength(1);
  expect(log).toEqual(['2:0', '2:4', '2:8', '2:0', '2:disposed']); // the first slice again, to see whether weights moved
  // Inner prompts have both neighbors at distance 2; the ends have neighbors at 2 and 4.
  expect(updates[0]).toMatchObject({ version: 1, positions: Int32Array.from(prompts) });
  const expected = prompts.map((position) => (position === 0 || position === 11 ? 3 : 2) + 1e-6);
  updates[0]!.weights.forEach((weight, position) => void expect(weight).toBeCloseTo(expected[position]!, 6));
  const sampler = weightedSampler(new Float64Array(12).fill(1), { seed: 1 });
  followUpdates(sampler, updates);
  expect([...sampler.weights()]).toEqual([...updates[0]!.weights]);
});

test('a refresh runs to its end, and of the waiting policies the newest is next', async () => {
  const policies = new Subject<number>();
  const log: string[] = [];
  const seen: number[] = [];
  const embedder = (scale: number) =>
    lineEmbedder(scale, log, (first) => {
      if (scale === 1 && first === 4) for (const later of [2, 3, 4]) policies.next(later);
      if (scale === 4 && first === 8) policies.complete();
    });
  const done = lastValueFrom(
    densityUpdates(policies, { ...options, embedder, version: (scale) => 10 * scale }).pipe(toArray()),
  );
  policies.next(1);
  for (const { version } of await done) seen.push(version);
  expect(seen).toEqual([10, 40]);
  expect(log).toEqual(['1:0', '1:4', '1:8', '1:0', '1:disposed', '4:0', '4:4', '4:8', '4:0', '4:disposed']);
});

test('unsubscribing stops the work before the next slice, and disposes the embedder', async () => {
  const log: string[] = [];
  const controls: { stop?: () => void } = {};
  const embedder = (scale: number) =>
    lineEmbedder(scale, log, (first) => (first === 4 ? controls.stop?.() : undefined));
  const received: WeightUpdate[] = [];
  const subscription = densityUpdates(new Subject<number>(), { ...options, embedder }).subscribe();
  subscription.unsubscribe();
  await new Promise<void>((resolve) => {
    const running = densityUpdates(of(1), { ...options, embedder }).subscribe((update) => received.push(update));
    controls.stop = () => {
      running.unsubscribe();
      setTimeout(resolve, 20);
    };
  });
  expect(log).toEqual(['1:0', '1:4', '1:disposed']);
  expect(received).toEqual([]);
});

/** A model in training: every batch that it embeds lets it move on. */
function movingModel() {
  const model = { scale: 1 };
  return {
    model,
    /** Reads the weights when it embeds. */
    live: (log: string[] = []): Embedder<number> => ({
      ...lineEmbedder(1),
      fingerprint: 'live',
      async embedBatch(items) {
        log.push(`${items[0]}`);
        return lineEmbedder(model.scale++).embedBatch(items);
      },
      async [Symbol.asyncDispose]() {
        log.push('disposed');
      },
    }),
  };
}

describe('a refresh never mixes versions of the weights', () => {
  const failureOf = (embedder: () => Embedder<number>, more: object = {}) => {
    const updates = densityUpdates(of(1), { ...options, embedder, ...more }).pipe(toArray());
    return lastValueFrom(updates).then(
      (received) => `no error, ${received.length} updates`,
      (error: unknown) => error,
    );
  };

  test('an embedder whose weights move between batches is refused, though its fingerprint stays', async () => {
    const log: string[] = [];
    const error = await failureOf(() => movingModel().live(log));
    expect(error).toBeInstanceOf(StateMismatchError);
    expect((error as Error).message).toContain('moved during the density refresh');
    expect((error as Error).message).toContain('snapshot(model) of @rarefy/lm');
    expect(log).toEqual(['0', '4', '8', '0', 'disposed']);
  });

  test('with a snapshot it passes', async () => {
    const { model } = movingModel();
    const snapshot = { ...model };
    const embedder = () =>
      lineEmbedder(snapshot.scale, [], () => {
        model.scale++;
      });
    expect(await failureOf(embedder)).toBe('no error, 1 updates');
    expect(model.scale).toBe(5);
  });

  test('a fingerprint that changes ends the refresh at the next slice', async () => {
    const log: string[] = [];
    const { model, live } = movingModel();
    const embedder = () => Object.defineProperty(live(log), 'fingerprint', { get: () => `weights ${model.scale}` });
    const error = await failureOf(embedder);
    expect(error).toBeInstanceOf(StateMismatchError);
    expect((error as Error).message).toContain('"weights 1" became "weights 2"');
    expect(log).toEqual(['0', 'disposed']);
  });

  test('an embedder that throws ends the stream with its error', async () => {
    const lost = new StateMismatchError('the weights changed');
    const throwing = () =>
      lineEmbedder(1, [], (first) => {
        if (first === 4) throw lost;
      });
    expect(await failureOf(throwing)).toBe(lost);
  });

  test('rows that differ from call to call are not compared, and a single slice cannot mix versions', async () => {
    const { live } = movingModel();
    const capabilities = { ...live().capabilities, deterministic: false };
    expect(await failureOf(() => ({ ...live(), capabilities }))).toBe('no error, 1 updates');
    const whole = { ...live().capabilities, maxBatch: 100 };
    expect(await failureOf(() => ({ ...live(), capabilities: whole }), { sliceSize: 12 })).toBe('no error, 1 updates');
  });
});

test('every policy is disposed once: after its refresh, when it is skipped, and when it fails or nobody listens', async () => {
  const disposed: number[] = [];
  const dispose = (policy: number) => void disposed.push(policy);
  const policies = new Subject<number>();
  const controls: { stop?: () => void } = {};
  const embedder = (scale: number) =>
    lineEmbedder(scale, [], (first) => {
      if (scale === 1 && first === 4) for (const later of [2, 3]) policies.next(later);
      if (scale === 3 && first === 4) {
        policies.next(4);
        controls.stop?.();
      }
    });
  await new Promise<void>((resolve) => {
    const running = densityUpdates(policies, { ...options, embedder, dispose }).subscribe();
    controls.stop = () => {
      running.unsubscribe();
      setTimeout(resolve, 20);
    };
    policies.next(1);
  });
  expect(disposed).toEqual([2, 1, 4, 3]);

  const lost = () => Promise.reject(new Error('lost'));
  await expect(lastValueFrom(densityUpdates(of(9), { ...options, embedder: lost, dispose }))).rejects.toThrow('lost');
  expect(disposed).toEqual([2, 1, 4, 3, 9]);
});

test('prompt records are embedded by their prompts', async () => {
  const seen: string[] = [];
  const { embedRows: _, ...rest } = lineEmbedder(1);
  const embedder = (): Embedder<string> => ({
    ...rest,
    async embedBatch(items) {
      seen.push(...items);
      return lineEmbedder(1).embedBatch(items.map((text) => text.length));
    },
  });
  const records = prompts.slice(0, 4).map((count) => ({ prompt: 'x'.repeat(count) }));
  const small = weightedSampler([1, 1, 1, 1], { seed: 1 });
  await lastValueFrom(densityUpdates(of(1), { ...options, sampler: small, prompts: records, embedder }));
  expect(seen).toEqual(['', 'x', 'xx', 'xxx']);
});

test.each([
  [
    'the source',
    () =>
      densityUpdates(
        throwError(() => new Error('lost')),
        { ...options, embedder: lineEmbedder },
      ),
  ],
  [
    'making an embedder',
    () => densityUpdates(of(1), { ...options, embedder: () => Promise.reject(new Error('lost')) }),
  ],
  [
    'embedding',
    () =>
      densityUpdates(of(1), {
        ...options,
        embedder: (scale) => lineEmbedder(scale, [], () => Promise.reject(new Error('lost'))),
      }),
  ],
  [
    'the weighting',
    () =>
      densityUpdates(of(1), {
        ...options,
        embedder: lineEmbedder,
        weighting: () => {
          throw new Error('lost');
        },
      }),
  ],
  [
    'the version',
    () =>
      densityUpdates(of(1), {
        ...options,
        embedder: lineEmbedder,
        version: () => {
          throw new Error('lost');
        },
      }),
  ],
])('a failure of %s reaches the subscriber, once', async (_, create) => {
  const errors: unknown[] = [];
  await new Promise<void>((resolve) => {
    create().subscribe({
      error: (error) => {
        errors.push(error);
        setTimeout(resolve, 10);
      },
    });
  });
  expect(errors).toEqual([new Error('lost')]);
});

test('refreshing takes at most its share of the time', async () => {
  vi.useFakeTimers();
  try {
    let worked = 0;
    const slow = () => {
      worked += 10;
      return new Promise<void>((resolve) => setTimeout(resolve, 10));
    };
    const started = performance.now();
    let finished = 0;
    densityUpdates(of(1, 1), {
      ...options,
      timeShare: 0.1,
      embedder: (scale) => lineEmbedder(scale, [], slow),
    }).subscribe({
      complete: () => (finished = performance.now()),
    });
    while (finished === 0) await vi.advanceTimersByTimeAsync(1);
    expect(worked).toBeGreaterThanOrEqual(30);
    expect(worked / (finished - started)).toBeLessThanOrEqual(0.1 + 1e-9);
    expect(worked / (finished - started)).toBeGreaterThan(0.05);
  } finally {
    vi.useRealTimers();
  }
});

test('ends with its source, does not wait for a policy that never arrives, and refuses invalid options', async () => {
  await expect(
    lastValueFrom(densityUpdates(of<number>(), { ...options, embedder: lineEmbedder }).pipe(toArray())),
  ).resolves.toEqual([]);
  const idle = densityUpdates(NEVER, { ...options, embedder: () => lineEmbedder(1) }).subscribe();
  idle.unsubscribe();
  expect(idle.closed).toBe(true);
  for (const timeShare of [0, 1.5, Number.NaN]) {
    expect(() => densityUpdates(of(1), { ...options, embedder: lineEmbedder, timeShare })).toThrow(
      InvalidArgumentError,
    );
  }
  const unknown = { ...options, embedder: lineEmbedder, slicesize: 3 };
  expect(() => densityUpdates(of(1), unknown)).toThrow('did you mean "sliceSize"?');
  const weighting = targetEss(0.5) as unknown as Weighting;
  expect(() => densityUpdates(of(1), { ...options, embedder: lineEmbedder, weighting })).toThrow('compose(inverse');
});

describe('updates belong to their sampler', () => {
  const weighting = compose(inverseDensity(), targetEss(0.5));
  const estimator = knnDistance({ k: 2 });
  const aware = (given: readonly number[] = prompts) =>
    densityAwareSampler(given, { embedder: lineEmbedder(1), estimator, weighting, seed: 1, onEvent: () => {} });
  const emitted = <Prompt>(more: DensityUpdatesOptions<number, Prompt>) =>
    lastValueFrom(densityUpdates(of(1, 2), { sliceSize: 4, timeShare: 1, ...more }).pipe(toArray()));
  const embedder = (scale: number) => lineEmbedder(scale);

  test('prompts, estimator and weighting are those of a density-aware sampler', async () => {
    const sampler = await aware();
    const [update] = await emitted({ sampler, embedder: () => lineEmbedder(1) });
    expect(update!.weights).toEqual(sampler.weights());
  });

  test('after a resume, versions continue from those of the sampler', async () => {
    const resumed = weightedSampler(new Float64Array(12).fill(1), { seed: 1 });
    resumed.update({ version: 40, positions: Int32Array.of(0), weights: Float64Array.of(2) });
    const updates = await emitted({ ...options, sampler: resumed, embedder });
    expect(updates.map(({ version }) => version)).toEqual([41, 42]);
    followUpdates(resumed, updates);
    expect(resumed.weightsVersion).toBe(42);
  });

  test('other prompts are refused, and so is a sampler that does not know its weighting', async () => {
    const sampler = await aware();
    const swapped = [0, 2, 1, ...prompts.slice(3)];
    const updatesOf = (more: object) => () => densityUpdates(of(1), { sampler, embedder, ...more } as never);
    expect(updatesOf({ prompts: swapped })).toThrow(StateMismatchError);
    expect(updatesOf({ prompts: swapped })).toThrow('prompt 1 is 2, and the sampler was built with 1 there');
    expect(updatesOf({ prompts: prompts.slice(1) })).toThrow('got 11 prompts, and the sampler has 12 positions');
    const plain = weightedSampler(new Float64Array(12).fill(1), { seed: 1 });
    expect(updatesOf({ sampler: plain })).toThrow('needs prompts and weighting of this sampler');
    expect(updatesOf({ sampler: plain, prompts })).toThrow('needs the weighting of this sampler');
    expect(updatesOf({ sampler: undefined })).toThrow('needs a sampler whose weights can change, got undefined');
    expect(updatesOf({ estimator: knnDistance })).toThrow('densityUpdates needs a density estimator, got a function');
    expect(updatesOf({ embedder: lineEmbedder(1) })).toThrow('embedder must be a function');
    expect(() => densityUpdates(undefined as never, { ...options, embedder })).toThrow('got undefined');
  });
});
