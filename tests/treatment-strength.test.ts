import { existsSync } from 'node:fs';
import { embed, type Matrix, type Weighting } from '@rarefy/core';
import { readPairs, uniquePrompts } from '@rarefy/data';
import {
  compose,
  densityReport,
  effectiveSampleSize,
  inverseDensity,
  knnDistance,
  knnSimilarity,
  targetEss,
} from '@rarefy/density';
import { onnxEmbedder } from '@rarefy/embedders/onnx';
import { weightedSampler } from '@rarefy/samplers';
import { normalPoints } from '@rarefy/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { miniLm, onnxReason, onnxRuntime } from './support/onnx-components.js';

/** How much more often a weighting draws rare prompts. If the difference is negligible, comparing two arms shows nothing. */
const byDistance = (exponent: number) => inverseDensity({ exponent });
const bySimilarity = inverseDensity({ epsilon: 1e-3 });

describe('on planted rare points: 1 % scattered among 20 clusters', () => {
  const [rows, rare] = [1500, 15]; // the rare rows are last
  let distance: Float64Array;
  let similarity: Float64Array;
  beforeAll(async () => {
    const points = plantedPoints(rows, rare);
    distance = await knnDistance().fit(points);
    similarity = await knnSimilarity().fit(points);
  });
  const rareShare = (weights: Float64Array) => sum(weights.subarray(rows - rare)) / sum(weights);

  // Expected shares come from another such data set, computed in Python; uniform draws take 1 %.
  test.each([
    ['the default', () => byDistance(1)(distance), 0.029, 0.95],
    ['distance^2', () => byDistance(2)(distance), 0.082, 0.63],
    ['distance^4', () => byDistance(4)(distance), 0.437, 0.04],
    ['the subset rule', () => bySimilarity(similarity), 0.017, 0.99],
  ])('%s gives rare points their known share of draws', (_, weigh, share, essOverN) => {
    const weights = weigh();
    expect(Math.abs(rareShare(weights) / share - 1)).toBeLessThan(0.05);
    expect(effectiveSampleSize(weights) / rows).toBeCloseTo(essOverN, 2);
  });

  test.each<[string, Weighting]>([
    ['the default', byDistance(1)],
    ['distance^4', byDistance(4)],
    ['a target of half', compose(byDistance(1), targetEss(0.5))],
  ])('%s draws rare points as often as the weights say (false alarm below 6e-7)', (_, weighting) => {
    const weights = weighting(distance);
    const expected = rareShare(weights);
    const count = 200_000;
    const { positions } = weightedSampler(weights, { seed: 11 }).draw(count);
    const drawn = positions.reduce((total, position) => total + (position >= rows - rare ? 1 : 0), 0) / count;
    expect(Math.abs(drawn - expected)).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / count));
  });

  test.each([0.9, 0.5, 0.2, 0.05])('targetEss(%s) reaches its share', (share) => {
    for (const weighting of [byDistance(1), byDistance(4)]) {
      const weights = compose(weighting, targetEss(share))(distance);
      expect(Math.abs(effectiveSampleSize(weights) / rows - share)).toBeLessThan(1e-6);
    }
  });
});

// Real preference pairs are not part of the repository, because their license allows only research use.
const pairs = process.env.RAREFY_REAL_PAIRS ?? '';
const reason = existsSync(pairs) ? onnxReason : ' (skipped: RAREFY_REAL_PAIRS names no file of real pairs)';

describe.skipIf(reason !== '')(`on 4,508 real prompts embedded with MiniLM${reason}`, { timeout: 900_000 }, () => {
  let distance: Float64Array;
  let similarity: Float64Array;
  beforeAll(async () => {
    const prompts: string[] = [];
    for (const { prompt } of await uniquePrompts(readPairs(pairs))) prompts.push(prompt);
    const points = await embed(await onnxEmbedder(miniLm, { lib: onnxRuntime }), prompts, { batchSize: 256 });
    distance = await knnDistance().fit(points);
    similarity = await knnSimilarity().fit(points);
  }, 900_000);

  test('the data has 4,508 prompts', () => expect(distance.length).toBe(4508));

  test.each([
    ['mean distance, the default', () => densityReport(distance, byDistance(1)(distance)), 0.121, 0.986],
    ['the subset rule', () => densityReport(similarity, bySimilarity(similarity)), 0.164, 0.925],
    ['distance^8', () => densityReport(distance, byDistance(8)(distance)), 0.326, 0.517],
    ['distance^16', () => densityReport(distance, byDistance(16)(distance)), 0.581, 0.204],
  ])('%s gives the rarest 10 %% their measured share of draws', (_, report, share, essOverN) => {
    expect(report().rarest10Share).toBeCloseTo(share, 3);
    expect(report().essOverN).toBeCloseTo(essOverN, 3);
  });

  test('the default warns that draws are nearly uniform, and a target ESS does not', () => {
    expect(densityReport(distance, byDistance(1)(distance)).warnings).toEqual([
      expect.stringContaining('draws are nearly uniform'),
    ]);
    const strong = densityReport(distance, compose(byDistance(1), targetEss(0.5))(distance));
    expect(strong.warnings).toEqual([]);
    expect(strong.rarest10Share).toBeGreaterThan(0.3);
  });
});

/** Unit rows in 16 dimensions: 20 clusters with a standard deviation of 0.08 per column, then `rare` directions at random. */
function plantedPoints(rows: number, rare: number): Matrix {
  const cols = 16;
  const centers = normalPoints(20, cols, 1);
  for (let row = 0; row < centers.rows; row++) toUnit(centers, row);
  const points = normalPoints(rows, cols, 2);
  for (let row = 0; row < rows; row++) {
    const center = (row % centers.rows) * cols;
    for (let col = 0; col < cols && row < rows - rare; col++) {
      points.data[row * cols + col] = centers.data[center + col]! + 0.08 * points.data[row * cols + col]!;
    }
    toUnit(points, row);
  }
  return points;
}

function toUnit({ data, cols }: Matrix, row: number): void {
  const own = data.subarray(row * cols, (row + 1) * cols);
  const length = Math.hypot(...own);
  for (let col = 0; col < cols; col++) own[col]! /= length;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
