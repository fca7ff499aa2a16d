import { type CounterRandom, counterRandom, type Matrix, type Neighbors } from '@rarefy/core';

/** A stream of uniform doubles in [0, 1). */
export function uniforms(seed: number): () => number {
  const random: CounterRandom = counterRandom(seed);
  let index = 0;
  return () => random.uniform(index++);
}

/** A standard normal number (Box and Muller). */
export const normal = (uniform: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

/** Values that are hard for some engine: ties, zeros, cancellation, the limits of float32, six decades. */
export const hardValues: Readonly<Record<string, (uniform: () => number) => number>> = {
  'small integers': (uniform) => Math.floor(uniform() * 3),
  bits: (uniform) => Math.round(uniform()),
  normal,
  'offset by 1000': (uniform) => 1000 + uniform(),
  'mostly 0 and -0': (uniform) => (uniform() < 0.97 ? (uniform() < 0.5 ? 0 : -0) : 1),
  '1e-20': (uniform) => uniform() * 1e-20,
  '1e17': (uniform) => (uniform() - 0.5) * 1e17,
  'six decades': (uniform) => uniform() * 10 ** (uniform() * 6 - 3),
  '1e-30': (uniform) => normal(uniform) * 1e-30,
  '1e30': (uniform) => normal(uniform) * 1e30,
  'below the normal range of float32': (uniform) => normal(uniform) * 1e-40,
  'to the end of float32': (uniform) => (uniform() - 0.5) * 6.8e38,
};

export function matrixOf(rows: number, cols: number, value: () => number): Matrix {
  return { data: Float32Array.from({ length: rows * cols }, value), rows, cols };
}

/** Rows of a matrix by number, in the given order, with repetitions. */
export function pickRows({ data, cols }: Matrix, rows: readonly number[]): Matrix {
  const picked = new Float32Array(rows.length * cols);
  for (const [to, from] of rows.entries()) picked.set(data.subarray(from * cols, (from + 1) * cols), to * cols);
  return { data: picked, rows: rows.length, cols };
}

/** All bytes of a result as text, which an assertion compares quickly. */
function bytesOf({ ids, distances }: Pick<Neighbors, 'ids' | 'distances'>): string {
  const text = (array: Int32Array | Float32Array) =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('latin1');
  return text(ids) + text(distances);
}

/** The first difference between two results, or '' if all bytes are equal. */
export function difference(actual: Neighbors, expected: Neighbors): string {
  if (bytesOf(actual) === bytesOf(expected)) return '';
  const { k, ids, distances } = actual;
  const at = ids.findIndex(
    (id, cell) => id !== expected.ids[cell] || !Object.is(distances[cell], expected.distances[cell]),
  );
  return `row ${Math.floor(at / k)}, neighbor ${at % k}: ${ids[at]} at ${distances[at]}, not ${expected.ids[at]} at ${expected.distances[at]}`;
}
