import { counterRandom, type Matrix, type Metric } from '@rarefy/core';
import { expect, test } from 'vitest';
import { exactIndex } from '../exact/exact.js';

/** The definition, literally: column c in lane c % 8, lanes added in a fixed order, rounded once. */
function byDefinition(metric: Metric, x: Float32Array, y: Float32Array): number {
  const sum = (term: (column: number) => number) => {
    const lane = new Float64Array(8);
    for (let column = 0; column < x.length; column++) lane[column % 8]! += term(column);
    const [a, b, c, d, e, f, g, h] = lane as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return a + e + (c + g) + (b + f + (d + h));
  };
  const product = sum((c) => x[c]! * y[c]!);
  if (metric === 'dot') return Math.fround(0 - product) + 0;
  if (metric === 'euclidean') return Math.fround(Math.sqrt(sum((c) => (x[c]! - y[c]!) * (x[c]! - y[c]!))));
  const lengths = Math.sqrt(sum((c) => x[c]! * x[c]!) * sum((c) => y[c]! * y[c]!));
  return Math.fround(Math.max(0, 1 - product / lengths));
}

test.each(['euclidean', 'cosine', 'dot'] as const)(
  '%s distances are the definition to the last bit',
  async (metric) => {
    for (const cols of [1, 7, 8, 9, 31, 384]) {
      const uniforms = counterRandom(cols);
      const rows = 12;
      const data = Float32Array.from({ length: rows * cols }, (_, at) => uniforms.uniform(at) * 4 - 1.3);
      const points: Matrix = { data, rows, cols };
      const index = exactIndex({ metric });
      await index.add(points);
      const { ids, distances } = await index.search(points, { k: rows });
      ids.forEach((id, at) => {
        const query = Math.floor(at / rows);
        const x = data.subarray(query * cols, (query + 1) * cols);
        expect(distances[at]).toBe(byDefinition(metric, x, data.subarray(id * cols, (id + 1) * cols)));
      });
    }
  },
);

test('parallel rows have a cosine distance of 0 even if rounding makes their cosine larger than 1', async () => {
  const x = Float32Array.of(
    -0.006159086711704731,
    0.2096882164478302,
    -0.04696420207619667,
    0.004722509067505598,
    0.019172843545675278,
  );
  const index = exactIndex({ metric: 'cosine' });
  await index.add({ data: x, rows: 1, cols: 5 });
  const { distances } = await index.search({ data: x.map((value) => value * 3), rows: 1, cols: 5 }, { k: 1 });
  expect(distances[0]).toBe(0); // -2.2e-16 without the bound
});
