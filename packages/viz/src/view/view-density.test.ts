import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { NotFiniteError } from '@rarefy/core';
import { parseSafetensors, toFloat32, toFloat64 } from '@rarefy/io';
import { expect, test } from 'vitest';
import { viewDensity } from './build-view.js';

const goldenPath = fileURLToPath(new URL('../../../../tests/golden/density.safetensors', import.meta.url));

test('equals the reference density, scaled to [0, 1]', async () => {
  const golden = parseSafetensors(await readFile(goldenPath), 'density.safetensors');
  const points = golden.tensors.get('x')!;
  const reference = toFloat64(golden.tensors.get('viz_density_k10')!);
  const [rows, cols] = points.shape as [number, number];
  const density = await viewDensity({ data: toFloat32(points), rows, cols });
  const [smallest, largest] = [Math.min(...reference), Math.max(...reference)];
  expect(density.length).toBe(rows);
  density.forEach((value, row) => {
    expect(value).toBeCloseTo((reference[row]! - smallest) / (largest - smallest), 6);
  });
  expect([Math.min(...density), Math.max(...density)]).toEqual([0, 1]);
});

test('few rows use all other rows; equal densities give 0', async () => {
  expect(await viewDensity({ data: new Float32Array(0), rows: 0, cols: 2 })).toEqual(new Float32Array(0));
  expect(await viewDensity({ data: Float32Array.of(1, 2), rows: 1, cols: 2 })).toEqual(Float32Array.of(0));
  expect(await viewDensity({ data: new Float32Array(24).fill(2), rows: 12, cols: 2 })).toEqual(new Float32Array(12));
  const line = await viewDensity({ data: Float32Array.of(0, 1, 3), rows: 3, cols: 1 }); // mean distances 2, 1.5, 2.5
  expect(line[2]).toBe(0);
  expect(line[1]).toBe(1);
  expect(line[0]).toBeCloseTo((1 / 2 - 1 / 2.5) / (1 / 1.5 - 1 / 2.5), 5);
  await expect(viewDensity({ data: Float32Array.of(0, Number.NaN, 3), rows: 3, cols: 1 })).rejects.toThrow(
    NotFiniteError,
  );
});
