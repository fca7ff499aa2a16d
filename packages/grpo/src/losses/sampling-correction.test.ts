import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import {
  resolvedCorrection,
  type SamplingCorrectionMode,
  samplingCorrectionMetrics,
  samplingRatio,
} from './sampling-correction.js';

type Rows = (number | null)[][];
interface Reference {
  readonly mask: number[][];
  readonly old: number[][];
  readonly sampling: Rows;
  readonly cases: readonly {
    readonly mode: SamplingCorrectionMode;
    readonly clipMax: number | null;
    readonly clipMin: number | null;
    readonly ratio: number[][];
    readonly metrics: Readonly<Record<string, number>>;
  }[];
}

const path = new URL('../../../../tests/golden/trl/sampling-corrections.json', import.meta.url);
const reference = JSON.parse(readFileSync(path, 'utf8')) as Reference;
const tensor = (rows: Rows) => tf.tensor2d(rows.map((row) => row.map((value) => value ?? Number.NaN)));

test.each(reference.cases)('$mode within [$clipMin, $clipMax] equals TRL', async (expected) => {
  const { mode, ratio, metrics } = expected;
  const correction = resolvedCorrection({
    mode,
    clipMax: expected.clipMax ?? Number.POSITIVE_INFINITY,
    ...(expected.clipMin !== null && { clipMin: expected.clipMin }),
  })!;
  const batch = (first: number, last: number) => {
    const [old, sampling] = [reference.old, reference.sampling].map((rows) => tensor(rows.slice(first, last)));
    const mask = tf.tensor2d(reference.mask.slice(first, last), undefined, 'int32');
    return {
      oldLogProbabilities: old!,
      samplingLogProbabilities: sampling!,
      mask,
      samplingRatio: samplingRatio(old!, sampling!, mask, correction),
    };
  };
  const whole = batch(0, reference.old.length);
  const found = await whole.samplingRatio.array();
  expect(found.map((row) => row.length)).toEqual(ratio.map((row) => row.length));
  ratio.forEach((row, index) => {
    row.forEach((value, column) => {
      expect(found[index]![column], `${index}, ${column}`).toBeCloseTo(value, 5);
    });
  });
  for (const parts of [[whole], [batch(0, 2), batch(2, 6)]]) {
    const measured = await samplingCorrectionMetrics(parts, correction);
    expect(Object.keys(measured).sort()).toEqual(Object.keys(metrics).sort());
    for (const [name, value] of Object.entries(metrics)) expect(measured[name], name).toBeCloseTo(value, 5);
  }
});

test('options out of range are refused, and false is no correction', () => {
  expect(resolvedCorrection(false)).toBeUndefined();
  expect(resolvedCorrection({})).toEqual({ mode: 'sequence_mask', clipMax: 3, clipMin: 0 });
  expect(() => resolvedCorrection({ mode: 'sequence' as never })).toThrow('samplingCorrection.mode must be one of');
  expect(() => resolvedCorrection({ clipMax: 0 })).toThrow('samplingCorrection.clipMax must be > 0, got 0');
  expect(() => resolvedCorrection({ clipMin: 4 })).toThrow('samplingCorrection.clipMin must be a number in [0, 3]');
  expect(() => resolvedCorrection({ clip: 1 } as object)).toThrow('clip');
});
