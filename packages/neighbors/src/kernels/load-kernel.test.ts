import { counterRandom } from '@rarefy/core';
import { expect, test } from 'vitest';
import { loadKernel } from './load-kernel.js';

interface Dot {
  setup(rows: number, width: number, rowScales: number): void;
  dot(i: number, j: number): number;
}

test('the dot kernel sums int16 products exactly, to the ends of their range', async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const { exports } = await WebAssembly.instantiate(await loadKernel('dot'), { env: { memory } });
  const { setup, dot } = exports as unknown as Dot;
  const width = 96;
  const rows = 40;
  const scales = 1024 + rows * width * 2;
  const uniforms = counterRandom(5);
  const values = new Int16Array(memory.buffer, 1024, rows * width);
  // |row| < 2^15.5: any two rows' sum of products stays below 2^31.
  for (let row = 0; row < rows; row++) {
    if (row < 2) values[row * width] = row === 0 ? -32768 : 32767;
    else for (let c = 0; c < width; c++) values[row * width + c] = (uniforms.uniform(row * width + c) - 0.5) * 9400;
  }
  new Float32Array(memory.buffer, scales, rows).fill(0.5);
  setup(1024, width, scales);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += values[i * width + c]! * values[j * width + c]!;
      expect(dot(i, j)).toBe(Math.fround(sum) / 4);
    }
  }
});

test('a kernel is compiled once for all callers', () => {
  expect(loadKernel('dot')).toBe(loadKernel('dot'));
});
