import { counterRandom, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { aliasTable } from './alias-table.js';
import { sumTree } from './sum-tree.js';

/** Structures that draw with replacement, from uniforms to positions, with a common interface. */
const structures = { aliasTable, sumTree };
const random = counterRandom(2024);

const normal = (index: number) =>
  Math.sqrt(-2 * Math.log(1 - random.uniform(2 * index))) * Math.cos(2 * Math.PI * random.uniform(2 * index + 1));
const bins = 1000;
const weightsOf = (weight: (position: number) => number) =>
  Float64Array.from({ length: bins }, (_, position) => weight(position));
const laws: Readonly<Record<string, Float64Array>> = {
  uniform: weightsOf(() => 0.3),
  'log-normal': weightsOf((position) => Math.exp(1.5 * normal(position))),
  Zipf: weightsOf((position) => (1 + ((position * 7) % bins)) ** -1.2),
  'one hot': weightsOf((position) => (position === 700 ? 1 : 1e-6)),
  'twelve decades': weightsOf((position) => 10 ** ((12 * position) / bins)),
};

function countDraws(
  structure: { findAll(uniforms: Float64Array, positions: Int32Array): void },
  draws: number,
  size: number,
) {
  const counts = new Float64Array(size);
  const uniforms = new Float64Array(1000);
  const positions = new Int32Array(1000);
  for (let first = 0; first < draws; first += 1000) {
    random.fill(first, uniforms);
    structure.findAll(uniforms, positions);
    for (const position of positions) counts[position]!++;
  }
  return counts;
}

/** Standard normal score of the chi-square statistic (Wilson-Hilferty); bins that expect fewer than 5 draws are merged. */
function chiSquareScore(counts: Float64Array, weights: Float64Array, draws: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [statistic, freedom, rareCount, rareExpected] = [0, -1, 0, 0];
  counts.forEach((count, bin) => {
    const expected = (draws * weights[bin]!) / total;
    if (expected < 5) {
      rareCount += count;
      rareExpected += expected;
    } else {
      statistic += (count - expected) ** 2 / expected;
      freedom++;
    }
  });
  if (rareExpected >= 5) {
    statistic += (rareCount - rareExpected) ** 2 / rareExpected;
    freedom++;
  }
  const spread = 2 / (9 * freedom);
  return (Math.cbrt(statistic / freedom) - (1 - spread)) / Math.sqrt(spread);
}

describe.each(Object.entries(structures))('%s', (_, build) => {
  test.each(Object.entries(laws))('draws by %s weights (10 million draws, both tails 1e-6)', (_law, weights) => {
    const draws = 10_000_000;
    const score = chiSquareScore(countDraws(build(weights), draws, bins), weights, draws);
    expect(Math.abs(score)).toBeLessThan(4.76);
  });

  test('detects a bias of one percent: the test above has power', () => {
    const biased = laws.uniform!.map((weight, position) => weight * (position % 2 === 0 ? 1.01 : 0.99));
    const score = chiSquareScore(countDraws(build(biased), 10_000_000, bins), laws.uniform!, 10_000_000);
    expect(score).toBeGreaterThan(15);
  });

  test('never draws a weight of zero, at any position and for the extreme uniforms', () => {
    const weights = Float64Array.from({ length: 777 }, (_, position) =>
      position % 3 === 1 ? 10 ** (position % 9) : 0,
    );
    const structure = build(weights);
    const counts = countDraws(structure, 10_000_000, 777);
    counts.forEach((count, position) => {
      if (weights[position] === 0) expect(count).toBe(0);
    });
    for (const list of [weights, [0, 0, 5e-324], [0, 3, 0], [1e-300, 0, 0, 0], [0, 1e290, 1e290, 0]]) {
      for (const uniform of [0, Number.MIN_VALUE, 0.5, 1 - 2 ** -53]) {
        expect(list[build(list).find(uniform)]).toBeGreaterThan(0);
      }
    }
  });

  test.each([
    ['2^24 + 1', 2 ** 24 + 1],
    ['5e7', 50_000_000],
  ])('draws from %s positions (five standard errors), in bounded memory', (_name, size) => {
    const half = Math.floor(size / 2);
    const before = process.memoryUsage().arrayBuffers;
    const weights = new Uint8Array(size).fill(2, 0, half).fill(1, half);
    const structure = build(weights);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(22 * size);
    const uniforms = Float64Array.from({ length: 100_000 }, (_, draw) => random.uniform(draw));
    const positions = new Int32Array(uniforms.length);
    structure.findAll(uniforms, positions);
    const upper = positions.filter((position) => position >= half).length;
    const share = (size - half) / (size + half);
    expect(Math.abs(upper - 100_000 * share)).toBeLessThan(5 * Math.sqrt(100_000 * share * (1 - share)));
    expect(new Set(positions).size).toBeGreaterThan(99_000); // a smaller set would have more repeats
  });

  test('find equals findAll of one uniform', () => {
    const structure = build(laws['log-normal']!);
    const uniforms = Float64Array.from({ length: 5000 }, (_, draw) => random.uniform(draw));
    const single = Int32Array.from(uniforms, (uniform) => structure.find(uniform));
    const all = new Int32Array(uniforms.length);
    structure.findAll(uniforms, all);
    expect(all).toEqual(single);
  });

  test('a single position is always drawn', () => {
    for (const uniform of [0, 0.3, 1 - 2 ** -53]) expect(build([3]).find(uniform)).toBe(0);
  });

  test('refuses invalid weights, naming the first position', () => {
    const refused = (weights: number[], message: string) => {
      expect(() => build(weights).find(0)).toThrow(InvalidWeightsError);
      expect(() => build(weights).find(0)).toThrow(message);
    };
    refused([1, Number.NaN, -1], 'weight NaN at position 1');
    refused([1, 2, -1e-9], 'weight -1e-9 at position 2');
    refused([Infinity, 1], 'weight Infinity at position 0');
    refused([0, 0, 0], 'zero');
    refused([], 'zero');
    refused(Array(10).fill(1e308), 'weight 1e+308 at position 0: weights must be at most');
    expect(build([-0, 1]).find(0)).toBe(1);
    expect(() => build({ length: 2 ** 31 })).toThrow(InvalidArgumentError);
  });
});

test('an alias table gives each position its exact share of [0, 1)', () => {
  const weights = [3, 0, 1, 0.5, 8, 0, 0.25, 3.25];
  const steps = 2 ** 14;
  const counts = new Array<number>(weights.length).fill(0);
  const table = aliasTable(weights);
  for (let step = 0; step < steps; step++) counts[table.find(step / steps)]!++;
  expect(counts).toEqual(weights.map((weight) => (weight / 16) * steps)); // all cuts are at multiples of 2^-14
});

/** The float64 number as an integer times 2^-1074. */
function exact(value: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]!;
  const exponent = (bits >> 52n) & 2047n;
  const fraction = bits & ((1n << 52n) - 1n);
  return exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
}

describe('a million updates over twelve decades', () => {
  const size = 1000;
  const updates = 1_000_000;
  const changeOf = (update: number) => ({
    position: Math.floor(random.uniform(2 * update) * size),
    weight: 10 ** (random.uniform(2 * update + 1) * 12 - 6),
  });
  const relativeError = (root: number, weights: Float64Array) => {
    const sum = weights.reduce((total, weight) => total + exact(weight), 0n);
    return Math.abs(Number(((exact(root) - sum) * 10n ** 18n) / sum)) * 1e-18;
  };

  test('leave a root within 1e-12 of the exact sum, and only draws of weight above 0', () => {
    const tree = sumTree(new Float64Array(size).fill(1));
    const weights = new Float64Array(size).fill(1);
    for (let update = 0; update < updates; update++) {
      const { position, weight } = changeOf(update);
      weights[position] = update % 10 === 0 ? 0 : weight;
      tree.update(position, weights[position]!);
      if (update % 10 === 5) expect(weights[tree.find(random.uniform(update))]).toBeGreaterThan(0);
      if (update % 10_000 === 0) expect(relativeError(tree.total, weights)).toBeLessThan(1e-12);
    }
    for (let position = 0; position < size; position++) tree.update(position, 1e-6);
    expect(relativeError(tree.total, weights.fill(1e-6))).toBeLessThan(1e-12);
  });

  test('make a sum that is adjusted by differences drift, as in a Fenwick tree: the test above has power', () => {
    const weights = new Float64Array(size).fill(1);
    let sum = size;
    for (let update = 0; update < updates; update++) {
      const { position, weight } = changeOf(update);
      sum += weight - weights[position]!;
      weights[position] = weight;
    }
    for (let position = 0; position < size; position++) sum += 1e-6 - weights[position]!;
    weights.fill(1e-6);
    expect(relativeError(Math.abs(sum), weights)).toBeGreaterThan(1e-12);
  });
});
