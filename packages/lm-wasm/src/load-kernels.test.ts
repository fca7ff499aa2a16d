import { counterRandom } from '@rarefy/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Kernels, loadKernels } from './load-kernels.js';
import { wasmModules } from './wasm-assets.js';

/** Kernels on a memory of their own, and a place to put numbers into it. */
function space(memory: WebAssembly.Memory, kernels: Kernels) {
  const guard = 1234.5;
  let end = 64;
  const ends: number[] = [];
  /** Address of numbers, with a guard after them: kernels must not write there. */
  const put = (values: ArrayLike<number>, type: 'float32' | 'int32' | 'float64' = 'float32') => {
    const address = Math.ceil(end / 8) * 8;
    const Type = { float32: Float32Array, int32: Int32Array, float64: Float64Array }[type];
    const bytes = values.length * Type.BYTES_PER_ELEMENT;
    const missing = address + bytes + 64 - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    new Type(memory.buffer, address, values.length).set(values);
    end = address + bytes + 4;
    new Float32Array(memory.buffer, end - 4, 1)[0] = guard;
    ends.push(end - 4);
    return address;
  };
  return {
    kernels,
    put,
    room: (size: number) => put(new Float32Array(size).fill(Number.NaN)),
    read: (address: number, size: number) => [...new Float32Array(memory.buffer, address, size)],
    /** The guards that were overwritten. */
    broken: () => ends.filter((address) => new Float32Array(memory.buffer, address, 1)[0] !== guard),
  };
}

let putOn: (memory: WebAssembly.Memory) => Kernels;
beforeAll(async () => {
  putOn = (await loadKernels())!;
});

const memories = {
  plain: () => new WebAssembly.Memory({ initial: 1 }),
  shared: () => new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true }),
};

/** `size` numbers in [-2, 2). */
function numbers(size: number, seed: number): number[] {
  const random = counterRandom(seed);
  return Array.from({ length: size }, (_, index) => Math.fround(4 * random.uniform(index) - 2));
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number) {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of actual.entries()) {
    const other = expected[index]!;
    if (Number.isFinite(other)) expect(Math.abs(value - other)).toBeLessThan(tolerance * Math.max(1, Math.abs(other)));
    else expect(value).toBe(other);
  }
}

/** The product of row-major matrices in float64. */
function plainProduct(a: readonly number[], b: readonly number[], m: number, n: number, k: number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[i * n + column]!;
    return sum;
  });
}

const transposed = (x: readonly number[], rows: number, columns: number) =>
  x.map((_, at) => x[(at % rows) * columns + Math.floor(at / rows)]!);

test('the module has no data: a data segment would overwrite memory that belongs to tfjs', async () => {
  for (const text of Object.values(await wasmModules())) {
    const bytes = Buffer.from(text, 'base64');
    const sections: number[] = [];
    for (let at = 8; at < bytes.length; ) {
      sections.push(bytes[at++]!);
      let [size, shift] = [0, 0];
      do size |= (bytes[at]! & 127) << (7 * shift++);
      while (bytes[at++]! > 127);
      at += size;
    }
    expect(sections).toContain(10); // code
    expect(sections).not.toContain(11); // data
    expect(sections).not.toContain(8); // a start function
  }
});

describe.each(['plain', 'shared'] as const)('on a %s memory', (kind) => {
  const open = () => {
    const memory = memories[kind]();
    return space(memory, putOn(memory));
  };

  /** a · b for row-major a and b, which are stored transposed on request. */
  function product(a: number[], b: number[], [m, n, k]: readonly number[], transposeA: boolean, transposeB: boolean) {
    const { kernels, put, room, read, broken } = open();
    const left = put(transposeA ? transposed(a, m!, k!) : a);
    const right = put(transposeB ? transposed(b, k!, n!) : b);
    const out = room(m! * n!);
    const scratch = room(kernels.productScratch() / 4); // grows the memory
    const [rowA, depthA] = transposeA ? [4, 4 * m!] : [4 * k!, 4];
    const [depthB, columnB] = transposeB ? [4, 4 * k!] : [4 * n!, 4];
    kernels.product(left, rowA, depthA, right, depthB, columnB, out, m!, n!, k!, scratch);
    expect(broken()).toEqual([]);
    return read(out, m! * n!);
  }

  test('products of any shape, either side transposed, equal those in float64', () => {
    const size = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 19 }) }, fc.constantFrom(64, 67));
    const depth = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 19 }) }, fc.constantFrom(256, 259, 515));
    fc.assert(
      fc.property(size, size, depth, fc.boolean(), fc.boolean(), (m, n, k, transposeA, transposeB) => {
        const [a, b] = [numbers(m * k, 1), numbers(k * n, 2)];
        expectClose(product(a, b, [m, n, k], transposeA, transposeB), plainProduct(a, b, m, n, k), 2e-6 * (1 + k / 8));
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('more rows than a block has (transposed: %s, %s)', (transposeA, transposeB) => {
    const [m, n, k] = [1029, 9, 261];
    const [a, b] = [numbers(m * k, 3), numbers(k * n, 4)];
    expectClose(product(a, b, [m, n, k], transposeA, transposeB), plainProduct(a, b, m, n, k), 5e-5);
  });

  test('a row has the same bits in a product with any number of rows', () => {
    const [m, n, k] = [23, 21, 300];
    const [a, b] = [numbers(m * k, 5), numbers(k * n, 6)];
    const whole = product(a, b, [m, n, k], false, false);
    for (const transposeB of [false, true]) {
      for (const row of [0, 7, 22]) {
        const alone = product(a.slice(row * k, (row + 1) * k), b, [1, n, k], false, transposeB);
        expect(alone).toEqual(whole.slice(row * n, (row + 1) * n));
      }
    }
  });

  test('infinity and NaN reach the numbers that depend on them, and no others', () => {
    const [m, n, k] = [6, 11, 7];
    const [a, b] = [numbers(m * k, 7), numbers(k * n, 8)];
    a[2 * k + 3] = Number.NaN;
    a[5 * k] = Infinity;
    b[4 * n + 10] = -Infinity;
    for (const transpose of [false, true]) {
      expectClose(product(a, b, [m, n, k], transpose, transpose), plainProduct(a, b, m, n, k), 1e-5);
    }
  });

  test('statistics and gradients of logits of any number of words', () => {
    for (const words of [1, 3, 4, 63, 66, 261]) {
      for (const temperature of [1, 0.7]) {
        const { kernels, put, room, read, broken } = open();
        const rows = 3;
        const logits = numbers(rows * words, words).map((x) => Math.fround(9 * x));
        if (words > 3) logits[words + 1] = -Infinity;
        const scores = logits.map((x) => x / Math.fround(temperature));
        const at = put(logits);
        const statistics = put(new Float64Array(3 * rows), 'float64');
        kernels.rowStatistics(at, rows, words, temperature, statistics);
        const ids = [0, words - 1, Math.floor(words / 2)];
        const dy = [1, -2, 0.5];
        const normalizers: number[] = [];
        const expected: number[] = [];
        for (let row = 0; row < rows; row++) {
          const own = scores.slice(row * words, (row + 1) * words);
          const top = Math.max(...own);
          const total = own.reduce((sum, x) => sum + Math.exp(x - top), 0);
          const normalizer = top + Math.log(total);
          normalizers.push(normalizer);
          own.forEach((x, word) => {
            expected.push((dy[row]! / temperature) * ((word === ids[row] ? 1 : 0) - Math.exp(x - normalizer)));
          });
          const [foundTop, foundTotal] = read64(statistics + 24 * row, 2);
          expect(Math.abs(foundTop! - top)).toBeLessThan(1e-5);
          expect(Math.abs(foundTotal! / total - 1)).toBeLessThan(3e-6);
        }
        const out = room(rows * words);
        const given = [put(dy), at, put(ids, 'int32'), put(normalizers)] as const;
        kernels.logProbabilityGradient(...given, rows, words, temperature, out);
        expectClose(read(out, rows * words), expected, 5e-6);
        expect(broken()).toEqual([]);

        function read64(address: number, size: number) {
          return [...new Float64Array(Float32Array.from(read(address, 2 * size)).buffer)];
        }
      }
    }
  });

  test('the spread of a row: the sum of exp(x - top) · (x - top)', () => {
    const { kernels, put, read } = open();
    const logits = numbers(70, 9);
    const out = put(new Float64Array(3), 'float64');
    kernels.rowStatistics(put(logits), 1, 70, 1, out);
    const top = Math.max(...logits);
    const spread = logits.reduce((sum, x) => sum + Math.exp(x - top) * (x - top), 0);
    expect(new Float64Array(Float32Array.from(read(out, 6)).buffer)[2]).toBeCloseTo(spread, 4);
  });

  test('attention shares and their gradients, with masked columns and any number of them', () => {
    const [batch, heads, length, scale] = [2, 3, 2, 0.3];
    for (const columns of [1, 3, 4, 70]) {
      const { kernels, put, room, read, broken } = open();
      const rows = batch * heads * length;
      const scores = numbers(rows * columns, 1).map((x) => Math.fround(20 * x));
      const bias = numbers(batch * length * columns, 2).map((x) => (x > 1 && columns > 1 ? -1e9 : 0));
      const dy = numbers(rows * columns, 3);
      const [shares, slopes] = [room(rows * columns), room(rows * columns)];
      kernels.attentionShares(put(scores), put(bias), batch, heads, length, columns, scale, shares);
      kernels.attentionSharesGradient(put(dy), shares, rows, columns, scale, slopes);
      const found: number[] = [];
      const gradient: number[] = [];
      for (let row = 0; row < rows; row++) {
        const biasRow = Math.floor(row / (heads * length)) * length + (row % length);
        const own = Array.from(
          { length: columns },
          (_, i) => scores[row * columns + i]! * scale + bias[biasRow * columns + i]!,
        );
        const top = Math.max(...own);
        const total = own.reduce((sum, x) => sum + Math.exp(x - top), 0);
        const parts = own.map((x) => Math.exp(x - top) / total);
        const mean = parts.reduce((sum, part, i) => sum + part * dy[row * columns + i]!, 0);
        found.push(...parts);
        gradient.push(...parts.map((part, i) => scale * part * (dy[row * columns + i]! - mean)));
      }
      expectClose(read(shares, rows * columns), found, 3e-6);
      expectClose(read(slopes, rows * columns), gradient, 3e-6);
      expect(broken()).toEqual([]);
    }
  });

  test('a rotation turns pairs, copies the rest, and the opposite sign turns back', () => {
    for (const [half, headSize] of [
      [1, 2],
      [4, 8],
      [5, 10],
      [6, 15],
    ] as const) {
      const { kernels, put, room, read, broken } = open();
      const [batch, heads, length] = [2, 3, 2];
      const x = numbers(batch * heads * length * headSize, half);
      const angles = numbers(batch * length * half, 9);
      const [cos, sin] = [angles.map(Math.cos), angles.map(Math.sin)];
      const sizes = [batch, heads, length, headSize, half] as const;
      const [turned, back] = [room(x.length), room(x.length)];
      const [cosAt, sinAt] = [put(cos), put(sin)];
      kernels.rotate(put(x), cosAt, sinAt, ...sizes, 1, turned);
      kernels.rotate(turned, cosAt, sinAt, ...sizes, -1, back);
      const expected = x.map((value, at) => {
        const [row, i] = [Math.floor(at / headSize), at % headSize];
        if (i >= 2 * half) return value;
        const angle = (Math.floor(row / (heads * length)) * length + (row % length)) * half + (i % half);
        return i < half
          ? value * cos[angle]! - x[at + half]! * sin[angle]!
          : value * cos[angle]! + x[at - half]! * sin[angle]!;
      });
      expectClose(read(turned, x.length), expected, 1e-6);
      expectClose(read(back, x.length), x, 2e-6);
      expect(broken()).toEqual([]);
    }
  });

  test('gates of any size, at zero, large numbers, infinity and NaN', () => {
    const extremes = [0, -0, 1e-30, 50, -50, 1e4, -1e4, Infinity, Number.NaN, -87, 88, 3];
    const [a, b] = [1.5957691, 0.071354814]; // GELU
    for (let size = 0; size <= extremes.length; size++) {
      for (const values of [extremes.slice(0, size), numbers(size, size)]) {
        const { kernels, put, room, read, broken } = open();
        const x = put(values);
        const out = room(size);
        kernels.gate(x, size, a, b, out);
        const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
        const expected = values.map((v) => v * sigmoid(v * (a + b * v * v)));
        expectClose(read(out, size), expected, 1e-6);
        const dy = numbers(size, 99);
        const slopes = room(size);
        kernels.gateGradient(put(dy), x, size, a, b, slopes);
        const finite = values.map((v, index) => {
          const share = sigmoid(v * (a + b * v * v));
          const inner = v * (a + 3 * b * v * v);
          return dy[index]! * share * (1 + (share === 1 && Number.isFinite(inner) ? 0 : inner * (1 - share)));
        });
        expectClose(read(slopes, size), finite, 2e-6);
        expect(broken()).toEqual([]);
      }
    }
  });

  test('sums of rows, columns and squares of any size', () => {
    for (const [blocks, count, width] of [
      [1, 1, 1],
      [2, 5, 3],
      [3, 4, 8],
      [2, 7, 21],
      [0, 3, 4],
      [2, 0, 9],
    ] as const) {
      const { kernels, put, room, read, broken } = open();
      const values = numbers(blocks * count * width, 3);
      const x = put(values);
      const [columns, rows] = [room(blocks * width), room(blocks * width)];
      kernels.columnSums(x, blocks, count, width, 2, columns);
      const expected = Array.from({ length: blocks * width }, (_, at) => {
        const [block, column] = [Math.floor(at / width), at % width];
        return Array.from({ length: count }, (_, i) => values[(block * count + i) * width + column]!).reduce(
          (sum, value) => sum + value / 2,
          0,
        );
      });
      expectClose(read(columns, blocks * width), expected, 1e-6);
      kernels.rowSums(x, blocks * width, count, 1, rows);
      const sums = Array.from({ length: blocks * width }, (_, row) =>
        values.slice(row * count, (row + 1) * count).reduce((sum, value) => sum + value, 0),
      );
      expectClose(read(rows, blocks * width), sums, 1e-6);
      const squares = values.reduce((sum, value) => sum + value * value, 0);
      expect(kernels.sumOfSquares(x, values.length)).toBeCloseTo(squares, 10);
      expect(broken()).toEqual([]);
    }
  });

  test('segment sums ignore ids out of range', () => {
    for (const width of [0, 1, 4, 6]) {
      const { kernels, put, room, read, broken } = open();
      const ids = [2, -1, 0, 2, 7, 3, 2];
      const values = numbers(ids.length * width, width);
      const out = room(4 * width);
      kernels.segmentSum(put(values), put(ids, 'int32'), ids.length, width, 4, out);
      const expected = Array.from({ length: 4 * width }, (_, at) =>
        ids.reduce(
          (sum, id, row) => sum + (id === Math.floor(at / width) ? values[row * width + (at % width)]! : 0),
          0,
        ),
      );
      expectClose(read(out, 4 * width), expected, 1e-6);
      expect(broken()).toEqual([]);
    }
  });
});
