import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSafetensors, toFloat32, toInt32 } from '@rarefy/io';
import { type CausalLanguageModel, languageModel, type ModelFamily } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';

/** Path of a file of reference values. tests/golden/README.md says how they were made. */
export const goldenPath = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));

export const goldenJsonOf = (name: string) => JSON.parse(readFileSync(goldenPath(name), 'utf8'));

export const goldenJson = () => goldenJsonOf('golden.json');

export const goldenFamilies = ['gpt2', 'llama', 'nanochat'] as const satisfies readonly ModelFamily[];

/** The reference tensors of one family: `floats` and `ints` by name. */
export async function goldenTensors(family: ModelFamily) {
  const { tensors } = await readSafetensors(goldenPath(`${family}/golden.safetensors`));
  const named = (name: string) => tensors.get(name)!;
  return {
    floats: (name: string) => toFloat32(named(name)),
    ints: (name: string) => tf.tensor2d(toInt32(named(name)), named(name).shape as [number, number], 'int32'),
    matrix: (name: string) => tf.tensor2d(toFloat32(named(name)), named(name).shape as [number, number]),
    vector: (name: string) => tf.tensor1d(toFloat32(named(name))),
  };
}

/** The small reference model of a family, on the current backend. */
export async function goldenModel(family: ModelFamily): Promise<CausalLanguageModel> {
  const { tensors } = await readSafetensors(goldenPath(`${family}/model.safetensors`));
  const weights = new Map(
    [...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  );
  return languageModel(JSON.parse(readFileSync(goldenPath(`${family}/config.json`), 'utf8')), weights);
}

/** Largest difference, relative to the largest reference value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return difference / scale;
}

/** Distances of all pairs of rows of `width` numbers. */
export function pairDistances(data: ArrayLike<number>, width: number): Float64Array {
  const rows = data.length / width;
  const all = new Float64Array(rows * rows);
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < rows; b++) {
      let squares = 0;
      for (let i = 0; i < width; i++) squares += (data[a * width + i]! - data[b * width + i]!) ** 2;
      all[a * rows + b] = Math.sqrt(squares);
    }
  }
  return all;
}
