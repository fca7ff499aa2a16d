import { readFileSync } from 'node:fs';
import { counterRandom, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import type { BatchTotals, PolicyBatch } from './policy-batch.js';
import type { PolicyLoss } from './policy-loss.js';
import {
  type ClippedLossOptions,
  cispoLoss,
  dapoLoss,
  drGrpoLoss,
  grpoLoss,
  luspoLoss,
  sapoLoss,
  vespoLoss,
} from './policy-losses.js';

/** A batch as plain numbers: rows x length, and one advantage per row. */
interface Numbers {
  readonly rows: number;
  readonly length: number;
  readonly current: ArrayLike<number>;
  readonly old: ArrayLike<number>;
  readonly reference: ArrayLike<number>;
  readonly advantages: ArrayLike<number>;
  readonly mask: ArrayLike<number>;
}

const golden = new URL('../../../../tests/golden/', import.meta.url);
const reported = JSON.parse(readFileSync(new URL('golden.json', golden), 'utf8')).models;

/** The tensors of a safetensors file that this test needs: float32 and int64. */
function goldenBatch(family: string): Numbers {
  const bytes = new Uint8Array(readFileSync(new URL(`${family}/golden.safetensors`, golden))).buffer;
  const headerLength = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, headerLength)));
  const read = (name: string): number[] => {
    const { dtype, data_offsets } = header[`grpo.${name}`];
    const data = bytes.slice(8 + headerLength + data_offsets[0], 8 + headerLength + data_offsets[1]);
    return Array.from(dtype === 'I64' ? new BigInt64Array(data) : new Float32Array(data), Number);
  };
  const [rows, length] = header['grpo.completion_mask'].shape;
  return {
    rows,
    length,
    current: read('per_token_logps'),
    old: read('old_per_token_logps'),
    reference: read('ref_per_token_logps'),
    advantages: read('advantages'),
    mask: read('completion_mask'),
  };
}

/** A loss in float64, token by token, as in the papers. */
function exactLoss(name: string, numbers: Numbers, options: ClippedLossOptions, current = numbers.current): number {
  const { epsilon = 0.2, epsilonHigh = epsilon, beta = 0, useBiasCorrectionKl = true } = options;
  const { rows, length, old, reference, advantages, mask } = numbers;
  let tokens = 0;
  let tokenSum = 0;
  let sequenceMeans = 0;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    let count = 0;
    for (let index = row * length; index < (row + 1) * length; index++) {
      if (mask[index] === 0) continue;
      const ratio = Math.exp(current[index]! - old[index]!);
      const clipped = Math.min(Math.max(ratio, 1 - epsilon), 1 + epsilonHigh);
      const log = reference[index]! - current[index]!;
      sum -= Math.min(ratio * advantages[row]!, clipped * advantages[row]!);
      sum += beta === 0 ? 0 : beta * (Math.exp(log) - log - 1) * (useBiasCorrectionKl ? ratio : 1);
      count++;
    }
    tokenSum += sum;
    tokens += count;
    sequenceMeans += sum / Math.max(1, count);
  }
  return name === 'grpo' ? sequenceMeans / rows : tokenSum / tokens;
}

function exactGradient(name: string, numbers: Numbers, options: ClippedLossOptions): number[] {
  return Array.from(numbers.current, (value, index) => {
    const at = (shifted: number) =>
      exactLoss(name, numbers, options, Object.assign([...Array.from(numbers.current)], { [index]: shifted }));
    return (at(value + 1e-6) - at(value - 1e-6)) / 2e-6;
  });
}

/** Rows `from` to `to` as tensors, with the current log-probabilities separate. */
function tensors(numbers: Numbers, from = 0, to = numbers.rows) {
  const { length } = numbers;
  const part = (values: ArrayLike<number>, dtype: 'float32' | 'int32' = 'float32') =>
    tf.tensor2d(Array.from(values).slice(from * length, to * length), [to - from, length], dtype);
  return {
    current: part(numbers.current),
    rest: {
      oldLogProbabilities: part(numbers.old),
      referenceLogProbabilities: part(numbers.reference),
      advantages: tf.tensor1d(Array.from(numbers.advantages).slice(from, to)),
      mask: part(numbers.mask, 'int32'),
    },
  };
}

function totalsOf(numbers: Numbers): BatchTotals {
  return { sequences: numbers.rows, tokens: Array.from(numbers.mask).reduce((sum, one) => sum + one, 0) };
}

function randomBatch(seed: number): Numbers {
  const rows = 6;
  const length = 9;
  const random = counterRandom(seed);
  const uniform = (stream: number, size = rows * length) =>
    Float32Array.from({ length: size }, (_, index) => random.fork(stream).uniform(index));
  const current = uniform(0).map((u) => -4 * u);
  return {
    rows,
    length,
    current,
    old: uniform(1).map((u, index) => current[index]! + u - 0.5),
    reference: uniform(2).map((u, index) => current[index]! + u - 0.5),
    advantages: uniform(3, rows).map((u) => 4 * u - 2),
    // Row 5 is all padding: a completion that is masked out.
    mask: uniform(4).map((_, index) => (index % length < [9, 1, 4, 7, 2, 0][Math.floor(index / length)]! ? 1 : 0)),
  };
}

const losses = { grpo: grpoLoss, dapo: dapoLoss };
const cases = [
  { key: 'grpo with the plain k3', name: 'grpo', options: { beta: 0.3, useBiasCorrectionKl: false } },
  { key: 'dapo with KL', name: 'dapo', options: { epsilon: 0.1, beta: 0.3 } },
] as const;
const goldenCases = [
  { key: 'grpo', name: 'grpo', options: { beta: 0.04 } },
  { key: 'grpo_nokl', name: 'grpo', options: {} },
  { key: 'dapo', name: 'dapo', options: { epsilon: 0.2, epsilonHigh: 0.28 } },
] as const;

const everyLoss = [
  drGrpoLoss({ beta: 0.1 }),
  luspoLoss(),
  cispoLoss({ epsilonHigh: 1.2, beta: 0.1 }),
  sapoLoss({ temperatureNeg: 2 }),
  vespoLoss(),
  dapoLoss({ importanceSamplingLevel: 'sequence', epsilon: 0.01 }),
  grpoLoss({ delta: 1.4, offPolicyMaskThreshold: 0.1 }),
  dapoLoss({ entropyCoef: 0.1 }),
].map((loss) => ({ name: loss.name, loss }));

describeOnBackends('policy losses', () => {
  test.each(['llama', 'gpt2', 'nanochat'])('equal those of TRL on the %s batch', async (family) => {
    const numbers = goldenBatch(family);
    for (const { key, name, options } of goldenCases) {
      const value = tf.tidy(() => {
        const { current, rest } = tensors(numbers);
        return losses[name](options)
          .loss({ logProbabilities: current, ...rest }, totalsOf(numbers))
          .dataSync()[0]!;
      });
      expect(Math.abs(value - reported[family][key].loss), key).toBeLessThan(1e-6);
      expect(Math.abs(value - exactLoss(name, numbers, options)), key).toBeLessThan(1e-5);
    }
  });

  test.each([...goldenCases, ...cases])(
    '$key: value and gradient equal float64, and leak no tensor',
    async ({ name, options }) => {
      for (const numbers of [randomBatch(1), randomBatch(2), goldenBatch('llama')]) {
        const before = tf.memory().numTensors;
        const { current, rest } = tensors(numbers);
        const loss = losses[name](options);
        const { value, grad } = tf.valueAndGrad((logProbabilities: tf.Tensor2D) =>
          loss.loss({ logProbabilities, ...rest }, totalsOf(numbers)),
        )(current);
        expect(Math.abs((await value.data())[0]! - exactLoss(name, numbers, options))).toBeLessThan(1e-5);
        const gradient = await grad.data();
        exactGradient(name, numbers, options).forEach((expected, index) => {
          expect(Math.abs(gradient[index]! - expected), `index ${index}`).toBeLessThan(2e-6);
        });
        tf.dispose([current, rest, value, grad]);
        expect(tf.memory().numTensors).toBe(before);
      }
    },
  );

  test.each(['grpo', 'dapo'] as const)(
    '%s: losses and metrics of micro-batches add up to those of the whole batch',
    async (name) => {
      const numbers = randomBatch(3);
      const loss = losses[name]({ epsilon: 0.1, epsilonHigh: 0.15, beta: 0.1 });
      const totals = totalsOf(numbers);
      const run = async (from: number, to: number) => {
        const { current, rest } = tensors(numbers, from, to);
        const { value, grad } = tf.valueAndGrad((logProbabilities: tf.Tensor2D) =>
          loss.loss({ logProbabilities, ...rest }, totals),
        )(current);
        const metrics = await loss.metrics({ logProbabilities: current, ...rest }, totals);
        const result = { loss: value.dataSync()[0]!, gradient: Array.from(grad.dataSync()), metrics };
        tf.dispose([current, rest, value, grad]);
        return result;
      };
      const before = tf.memory().numTensors;
      const whole = await run(0, 6);
      const parts = [await run(0, 1), await run(1, 4), await run(4, 6)];
      expect(tf.memory().numTensors).toBe(before);
      expect(parts.reduce((sum, part) => sum + part.loss, 0)).toBeCloseTo(whole.loss, 5);
      parts
        .flatMap((part) => part.gradient)
        .forEach((slope, index) => {
          expect(slope).toBeCloseTo(whole.gradient[index]!, 6);
        });
      for (const [metric, value] of Object.entries(whole.metrics)) {
        const values = parts.map((part) => part.metrics[metric]!);
        const known = values.filter((one) => !Number.isNaN(one));
        const combined = metric.endsWith('_min')
          ? Math.min(...known)
          : metric.endsWith('_max')
            ? Math.max(...known)
            : values.reduce((sum, one) => sum + one, 0);
        expect(combined, metric).toBeCloseTo(value, 5);
      }
      expect(Object.keys(whole.metrics)).toEqual([
        'clip_ratio/low_mean',
        'clip_ratio/low_min',
        'clip_ratio/high_mean',
        'clip_ratio/high_max',
        'clip_ratio/region_mean',
        'kl',
      ]);
    },
  );

  test('metrics equal counts by hand', async () => {
    const { current, rest } = tensors({
      rows: 2,
      length: 3,
      current: [Math.log(1.5), Math.log(0.5), 0, Math.log(1.5), Math.log(0.5), 99],
      old: [0, 0, 0, 0, 0, 0],
      reference: [Math.log(1.5), Math.log(0.5), 0, Math.log(1.5), Math.log(0.5) + Math.log(2), 0],
      advantages: [1, -1],
      mask: [1, 1, 1, 1, 1, 0],
    });
    // Clipped: the first token of row 0 (above, A > 0) and the second of row 1 (below, A < 0), whose k3 is 1 - log 2 and whose
    // ratio is 0.5.
    const totals = { sequences: 2, tokens: 5 };
    const metrics = await dapoLoss().metrics({ logProbabilities: current, ...rest }, totals);
    expect(metrics['clip_ratio/high_mean']).toBeCloseTo(1 / 5, 6);
    expect(metrics['clip_ratio/low_mean']).toBeCloseTo(1 / 5, 6);
    expect(metrics['clip_ratio/region_mean']).toBeCloseTo(2 / 5, 6);
    expect(metrics.kl).toBeCloseTo((0.5 * (1 - Math.log(2))) / 5, 6);
    const plain = dapoLoss({ useBiasCorrectionKl: false });
    expect((await plain.metrics({ logProbabilities: current, ...rest }, totals)).kl).toBeCloseTo(
      (1 - Math.log(2)) / 5,
      6,
    );
    const { referenceLogProbabilities: _, ...withoutReference } = rest;
    expect(await dapoLoss().metrics({ logProbabilities: current, ...withoutReference }, totals)).not.toHaveProperty(
      'kl',
    );
    tf.dispose([current, rest]);
  });

  test('without old log-probabilities the ratio is 1, and the gradient is the plain policy gradient', async () => {
    const numbers = randomBatch(4);
    const { current, rest } = tensors(numbers);
    const { oldLogProbabilities, referenceLogProbabilities, ...batch } = rest;
    const { tokens } = totalsOf(numbers);
    const { value, grad } = tf.valueAndGrad((logProbabilities: tf.Tensor2D) =>
      dapoLoss().loss({ logProbabilities, ...batch }, totalsOf(numbers)),
    )(current);
    const gradient = await grad.data();
    let expectedLoss = 0;
    gradient.forEach((slope, index) => {
      const term = -(numbers.advantages[Math.floor(index / numbers.length)]! * numbers.mask[index]!) / tokens;
      expect(slope).toBeCloseTo(term, 6);
      expectedLoss += term;
    });
    expect((await value.data())[0]).toBeCloseTo(expectedLoss, 5);
    tf.dispose([current, rest, value, grad]);
  });

  test('values at padding never count, including NaN and infinity', async () => {
    const numbers = randomBatch(5);
    const spoil = (values: ArrayLike<number>, junk: number) =>
      Array.from(values, (value, index) => (numbers.mask[index] === 1 ? value : junk));
    const spoiled = {
      ...numbers,
      current: spoil(numbers.current, -Infinity),
      old: spoil(numbers.old, -Infinity),
      reference: spoil(numbers.reference, Number.NaN),
    };
    const { current, rest } = tensors(spoiled);
    const loss = grpoLoss({ beta: 0.04 });
    const { value, grad } = tf.valueAndGrad((logProbabilities: tf.Tensor2D) =>
      loss.loss({ logProbabilities, ...rest }, totalsOf(numbers)),
    )(current);
    expect((await value.data())[0]).toBeCloseTo(exactLoss('grpo', numbers, { beta: 0.04 }), 5);
    (await grad.data()).forEach((slope, index) => {
      if (numbers.mask[index] === 0) expect(Math.abs(slope)).toBe(0);
      else expect(Number.isFinite(slope)).toBe(true);
    });
    const metrics = await loss.metrics({ logProbabilities: current, ...rest }, totalsOf(numbers));
    expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
    tf.dispose([current, rest, value, grad]);
  });

  test.each(everyLoss)('$name: micro-batches add up, and padding never counts', async ({ loss }) => {
    const numbers = randomBatch(6);
    const junk = (values: ArrayLike<number>) =>
      Array.from(values, (value, index) => (numbers.mask[index] === 1 ? value : -Infinity));
    const spoiled = { ...numbers, current: junk(numbers.current), old: junk(numbers.old) };
    const totals = { ...totalsOf(numbers), maxCompletionLength: 12 };
    const run = (given: Numbers, from: number, to: number) => {
      const { current, rest } = tensors(given, from, to);
      const entropies = tf.abs(current).where(tf.cast(rest.mask, 'bool'), tf.zerosLike(current)) as tf.Tensor2D;
      const samplingRatio = tf.fill([to - from, 1], 0.8) as tf.Tensor2D;
      const { value, grad } = tf.valueAndGrad((logProbabilities: tf.Tensor2D) =>
        loss.loss({ logProbabilities, ...rest, entropies, samplingRatio }, totals),
      )(current);
      const result = [value.dataSync()[0]!, ...grad.dataSync()];
      tf.dispose([current, rest, entropies, samplingRatio, value, grad]);
      return result;
    };
    const [whole, ...gradient] = run(numbers, 0, 6);
    const parts = [run(spoiled, 0, 2), run(spoiled, 2, 5), run(spoiled, 5, 6)];
    expect(Math.abs(whole!)).toBeGreaterThan(1e-3);
    expect(parts.reduce((sum, [value]) => sum + value!, 0)).toBeCloseTo(whole!, 5);
    parts
      .flatMap(([, ...slopes]) => slopes)
      .forEach((slope, index) => {
        if (numbers.mask[index] === 0) expect(Math.abs(slope)).toBe(0);
        else expect(slope).toBeCloseTo(gradient[index]!, 5);
      });
  });

  test.each(everyLoss.filter(({ loss }) => !loss.usesReference && !loss.usesEntropies))(
    '$name: without advantage or tokens nothing is learned',
    ({ loss }) => {
      tf.tidy(() => {
        const { current, rest } = tensors({ ...randomBatch(7), advantages: new Float32Array(6) });
        const { referenceLogProbabilities: _, ...batch } = rest;
        const totals = { sequences: 6, tokens: 23, maxCompletionLength: 9 };
        const run = (given: Omit<PolicyBatch, 'logProbabilities'>) => {
          const { value, grad } = tf.valueAndGrad((logProbabilities: tf.Tensor2D) =>
            loss.loss({ logProbabilities, ...given }, totals),
          )(current);
          return Math.max(...[value.dataSync()[0]!, ...grad.dataSync()].map(Math.abs));
        };
        expect(run(batch)).toBe(0);
        expect(run({ ...batch, advantages: tf.ones([6]), mask: tf.zerosLike(batch.mask) })).toBe(0);
      });
    },
  );

  test('metrics of other losses equal counts by hand, and those of sequences are means over sequences', async () => {
    const { current, rest } = tensors({
      rows: 2,
      length: 2,
      current: [Math.log(6), Math.log(2), Math.log(0.5), 99],
      old: [0, 0, 0, 0],
      reference: [0, 0, 0, 0],
      advantages: [1, -1],
      mask: [1, 1, 1, 0],
    });
    const { referenceLogProbabilities: _, ...batch } = rest;
    const metricsOf = (loss: PolicyLoss) =>
      loss.metrics({ logProbabilities: current, ...batch }, { sequences: 2, tokens: 3, maxCompletionLength: 2 });
    expect((await metricsOf(cispoLoss({ epsilonHigh: 5 }))).cispo_clip_ratio).toBeCloseTo(1 / 3, 6);
    expect(await metricsOf(sapoLoss())).toEqual({});
    // The mean log ratios are log(12) / 2 and log(0.5): above 1.2 with A > 0, and below 0.8 with A < 0.
    expect(await metricsOf(dapoLoss({ importanceSamplingLevel: 'sequence' }))).toMatchObject({
      'clip_ratio/low_mean': 0.5,
      'clip_ratio/low_min': 0,
      'clip_ratio/high_mean': 0.5,
      'clip_ratio/high_max': 1,
      'clip_ratio/region_mean': 1,
    });
    // w = 12 and 0.5; φ(w) = w^k exp(λ - λw), with k, λ = 2, 3 and 3, 2.
    const phi = (12 ** 2 * Math.exp(3 - 36) + 0.5 ** 3 * Math.exp(2 - 1)) / 2;
    expect((await metricsOf(vespoLoss()))['vespo/phi_seq_mean']).toBeCloseTo(phi, 5);
    tf.dispose([current, rest]);
  });

  test('the entropy bonus has the weight of the totals, and its mean is a metric', async () => {
    const { current, rest } = tensors(randomBatch(8));
    const { referenceLogProbabilities: _, ...batch } = rest;
    const totals = totalsOf(randomBatch(8));
    const entropies = tf.fill([6, 9], 0.5) as tf.Tensor2D;
    const lossOf = (loss: PolicyLoss, entropyCoef?: number) => {
      const value = loss.loss(
        { logProbabilities: current, ...batch, entropies },
        { ...totals, ...(entropyCoef !== undefined && { entropyCoef }) },
      );
      return value.dataSync()[0]!;
    };
    const plain = lossOf(dapoLoss());
    expect(lossOf(dapoLoss({ entropyCoef: 0.1 }))).toBeCloseTo(plain - 0.05, 6);
    expect(lossOf(dapoLoss({ adaptiveEntropy: {} }))).toBeCloseTo(plain, 6);
    expect(lossOf(dapoLoss({ adaptiveEntropy: {} }), 0.2)).toBeCloseTo(plain - 0.1, 6);
    const bonus = dapoLoss({ entropyCoef: 0.1, topEntropyQuantile: 0.5 });
    const metrics = await bonus.metrics({ logProbabilities: current, ...batch, entropies }, totals);
    expect(metrics.entropy_bonus).toBeCloseTo(0.5, 6);
    expect(metrics.policy_loss).toBeCloseTo(plain, 6); // equal entropies: all tokens are kept
    expect(() => lossOf(bonus)).not.toThrow();
    const { entropies: __, ...without } = { ...batch, entropies: undefined };
    expect(() => bonus.loss({ logProbabilities: current, ...without }, totals)).toThrow('the batch has none');
    tf.dispose([current, rest, entropies]);
  });
});

test('invalid options and shapes are refused with the value seen', async () => {
  await tf.setBackend('cpu');
  expect(() => dapoLoss({ epsilon: 1.5 })).toThrow('epsilon must be a number in [0, 1], got 1.5');
  expect(() => dapoLoss({ epsilonHigh: -1 })).toThrow(InvalidArgumentError);
  expect(() => dapoLoss({ delta: 1.1 })).toThrow('delta must be above 1 + epsilonHigh = 1.2, got 1.1');
  expect(() => cispoLoss({} as never)).toThrow('epsilonHigh must be finite and > 0, got undefined');
  expect(() => sapoLoss({ temperaturePos: 0 })).toThrow('temperaturePos must be finite and > 0, got 0');
  expect(() => vespoLoss({ kPos: '2' as never })).toThrow('kPos must be finite and > 0, got "2"');
  expect(() => dapoLoss({ importanceSamplingLevel: 'word' as never })).toThrow("'token' or 'sequence', got \"word\"");
  expect(() => dapoLoss({ topEntropyQuantile: 0 })).toThrow('topEntropyQuantile must be in (0, 1], got 0');
  expect(() => dapoLoss({ adaptiveEntropy: { min: 2 } })).toThrow('adaptiveEntropy.min is 2, above max 1');
  expect(() => dapoLoss({ adaptiveEntropy: { goal: 2 } as object })).toThrow('adaptiveEntropy has no option "goal"');
  expect(() => grpoLoss({ beta: Number.NaN })).toThrow('beta must be finite and ≥ 0, got NaN');
  tf.tidy(() => {
    const totals = { sequences: 2, tokens: 6 };
    const batch: PolicyBatch = {
      logProbabilities: tf.zeros([2, 3]),
      advantages: tf.zeros([2]),
      mask: tf.ones([2, 3], 'int32'),
    };
    expect(() => grpoLoss({ beta: 0.1 }).loss(batch, totals)).toThrow('no referenceLogProbabilities');
    expect(() => grpoLoss().loss({ ...batch, mask: tf.ones([2, 4]) }, totals)).toThrow('mask is [2,4]');
    expect(() => grpoLoss().loss({ ...batch, oldLogProbabilities: tf.zeros([1, 3]) }, totals)).toThrow(ShapeError);
    expect(() => grpoLoss().loss({ ...batch, advantages: tf.zeros([3]) }, totals)).toThrow('need advantages [2]');
    expect(() => drGrpoLoss().loss(batch, totals)).toThrow('give maxCompletionLength');
    const samplingRatio = tf.ones<tf.Rank.R2>([2, 2]);
    expect(() => grpoLoss().loss({ ...batch, samplingRatio }, totals)).toThrow('samplingRatio must be [2,3] or [2,1]');
  });
});
