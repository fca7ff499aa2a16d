import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { counterRandom, type Matrix } from '@rarefy/core';
import {
  agreementReport,
  clusterDensity,
  densityReport,
  inverseDensity,
  kernelDensity,
  knnDistance,
  knnSimilarity,
  raceDensity,
  sphericalKMeans,
} from '@rarefy/density';
import { writeEmbeddings } from '@rarefy/embeddings';
import { autoIndex } from '@rarefy/neighbors/auto';
import { nnDescentIndex } from '@rarefy/neighbors/nn-descent';
import { drawBalanced, drawWithoutReplacement, farthestFirst, inclusionProbabilities } from '@rarefy/samplers';
import { clusters } from '@rarefy/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { usearchReason } from './support/neighbor-libraries.js';
import { rarefy, startRarefy } from './support/rarefy.js';

const cwd = mkdtempSync(join(tmpdir(), 'rarefy-weighing-'));
afterAll(() => rmSync(cwd, { recursive: true }));
const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
const run = (line: string) => rarefy(line.split(' '), { cwd });

const rows = 240;
const points: Matrix = clusters([0.1, 0.3, 0.6], rows / 3, 12, 4);
const ids = Array.from({ length: rows }, (_, row) => `row ${row}`);
const sampledRows = (name: string) =>
  read(name)
    .trimEnd()
    .split('\n')
    .map((id) => ids.indexOf(id));

interface SampleReport {
  readonly [field: string]: unknown;
  readonly sampled: { id: string; weight: number; inclusion: number; cluster: number; distance: number | null }[];
}
let density: Float64Array;
let weights: Float64Array;

beforeAll(async () => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  await writeEmbeddings(join(cwd, 'e.safetensors'), { ids, embeddings: points });
  await writeEmbeddings(join(cwd, 'e.npy'), { ids, embeddings: points });
  density = await knnSimilarity({ k: 20 }).fit(points);
  weights = inverseDensity({ epsilon: 1e-3 })(density);
});

describe('rarefy sample', () => {
  test('draws by 1 / (eps + similarity), and reports the probability of each row', async () => {
    const { code, stdout } = await run(
      'sample --embeddings e.safetensors --budget 60 --seed 5 --out w.txt --report w.json',
    );
    expect(code).toBe(0);
    const expected = drawWithoutReplacement(weights, 60, counterRandom(5));
    expect(sampledRows('w.txt')).toEqual(Array.from(expected));
    const { sampled, ...report } = JSON.parse(read('w.json')) as SampleReport;
    const { warnings, ...effect } = densityReport(density, weights);
    expect(report).toEqual({
      method: 'weighted',
      rows,
      budget: 60,
      seed: 5,
      estimator: knnSimilarity().fingerprint,
      neighbors: { engine: 'auto', index: autoIndex({ metric: 'dot' }).fingerprint, exact: true },
      weights: effect,
      inclusion: 'exact',
    });
    const inclusion = inclusionProbabilities(weights, 60);
    expect(sampled).toEqual(
      Array.from(expected, (row) => ({
        id: ids[row],
        density: density[row],
        weight: weights[row],
        inclusion: inclusion[row],
      })),
    );
    const [least, most] = [Math.min(...inclusion), Math.max(...inclusion)].map((x) => (100 * x).toPrecision(3));
    expect(stdout).toContain(`the budget is 25.0 % of the rows`);
    expect(stdout).toContain(`at least ${least} %`);
    expect(stdout).toContain(`at most ${most} % (exact)`);
  });

  test('does not mention inclusion for a small budget, and reads other formats the same way', async () => {
    const plain = await run('sample --embeddings e.npy --budget 24 --out n.txt');
    expect(plain).toMatchObject({ code: 0, stdout: '24 of 240 ids in n.txt\n' });
    expect(sampledRows('n.txt')).toEqual(Array.from(drawWithoutReplacement(weights, 24, counterRandom(0))));
  });

  test('accepts the weighting options', async () => {
    await run('sample --embeddings e.safetensors --budget 30 --k 5 --eps 0.5 --exponent 3 --out x.txt');
    const other = inverseDensity({ epsilon: 0.5, exponent: 3 })(await knnSimilarity({ k: 5 }).fit(points));
    expect(sampledRows('x.txt')).toEqual(Array.from(drawWithoutReplacement(other, 30, counterRandom(0))));
    await run('sample --embeddings e.safetensors --budget 30 --target-ess 0.5 --out t.txt --report t.json');
    expect(JSON.parse(read('t.json')).weights.essOverN).toBeCloseTo(0.5, 6);
  });

  test('--method coverage samples what is farthest', async () => {
    const { stdout } = await run(
      'sample --embeddings e.safetensors --budget 40 --method coverage --seed 3 --out c.txt --report c.json',
    );
    const { positions, distances, radius } = await farthestFirst(points, 40, { seed: 3 });
    expect(sampledRows('c.txt')).toEqual(Array.from(positions));
    const report = JSON.parse(read('c.json')) as SampleReport;
    expect(report.radius).toBe(radius);
    expect(report.sampled.map(({ distance }) => distance)).toEqual([null, ...distances.subarray(1)]);
    expect(stdout).toContain(`every row is within ${radius.toPrecision(3)} of a sampled one`);
  });

  test('--method cluster-balanced draws equally many rows from each cluster', async () => {
    await run(
      'sample --embeddings e.safetensors --budget 42 --method cluster-balanced --clusters 6 --seed 2 --out b.txt --report b.json',
    );
    const { clusterOf } = await sphericalKMeans(points, { clusters: 6, seed: 2 });
    const { positions, inclusion, shares } = drawBalanced(weights, clusterOf, 42, counterRandom(2));
    expect(sampledRows('b.txt')).toEqual(Array.from(positions));
    const report = JSON.parse(read('b.json')) as SampleReport;
    expect((report.clusters as { sampled: number }[]).map(({ sampled }) => sampled)).toEqual(Array.from(shares));
    report.sampled.forEach((sampled, at) => {
      expect(sampled).toMatchObject({ cluster: clusterOf[positions[at]!], inclusion: inclusion[positions[at]!] });
    });
  });
});

describe('rarefy density', () => {
  const lines = () =>
    read('d.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; density: number; weight: number });

  test.each([
    ['--estimator knn-distance --k 7', () => knnDistance({ k: 7 }), 0],
    ['--estimator knn-similarity', () => knnSimilarity(), 1e-3],
    ['--estimator kernel --bandwidth 0.5', () => kernelDensity({ bandwidth: 0.5 }), 1e-3],
    ['--estimator kernel --eps 0', () => kernelDensity(), 0],
    ['--estimator kernel --kernel angular --hashes 6', () => kernelDensity({ kernel: 'angular', power: 6 }), 1e-3],
    [
      '--estimator kernel --kernel exponential --samples 30 --k 5 --seed 2',
      () => kernelDensity({ kernel: 'exponential', method: 'near-and-random', samples: 30, k: 5, seed: 2 }),
      1e-3,
    ],
    ['--estimator race --race-rows 50 --hashes 3 --seed 4', () => raceDensity({ rows: 50, hashes: 3, seed: 4 }), 1e-3],
    ['--estimator cluster --clusters 9 --seed 1', () => clusterDensity({ clusters: 9, seed: 1 }), 1e-3],
  ] as const)('%s', async (options, estimator, epsilon) => {
    const { code } = await run(`density --embeddings e.safetensors ${options} --out d.jsonl --report d.json`);
    expect(code).toBe(0);
    const expected = await estimator().fit(points);
    expect(lines().map(({ density: value }) => value)).toEqual(Array.from(expected));
    const expectedWeights = inverseDensity({ epsilon })(expected);
    expect(lines().map(({ weight }) => weight)).toEqual(Array.from(expectedWeights));
    const { warnings, ...effect } = densityReport(expected, expectedWeights);
    const report = JSON.parse(read('d.json'));
    expect(report.weights).toEqual(JSON.parse(JSON.stringify(effect)));
    expect(report.estimator).toBe(estimator().fingerprint);
  });

  test('--compare reports how well another estimator agrees', async () => {
    const { stdout } = await run(
      'density --embeddings e.safetensors --out d.jsonl --compare race --race-rows 100 --report d.json',
    );
    const sides = [];
    for (const [estimator, epsilon] of [
      [knnDistance(), 0],
      [raceDensity({ rows: 100 }), 1e-3],
    ] as const) {
      const measured = await estimator.fit(points);
      sides.push({ density: measured, weights: inverseDensity({ epsilon })(measured) });
    }
    const expected = agreementReport(sides[0]!, sides[1]!);
    expect(JSON.parse(read('d.json')).agreement).toMatchObject(expected);
    expect(stdout).toMatch(/compared with +rank correlation/);
    expect(stdout).toContain(expected.spearman!.toFixed(3));
  });

  test('--compare-neighbors reports what another search changes: nothing, if both are exact', async () => {
    const { code } = await run(
      'density --embeddings e.safetensors --out d.jsonl --compare-neighbors exact --report d.json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(read('d.json')).agreement).toMatchObject({
      against: { neighbors: { engine: 'exact', exact: true } },
      spearman: 1,
      rarest1Overlap: 1,
      rarest10Overlap: 1,
      totalVariation: 0,
    });
  });

  test('--neighbors nn-descent is reported with its recall, and compared with exact neighbors', async () => {
    await run(
      'density --embeddings e.safetensors --out d.jsonl --neighbors nn-descent --compare-neighbors exact --report d.json',
    );
    const approximate = await knnDistance({ index: nnDescentIndex }).fit(points);
    expect(lines().map(({ density: value }) => value)).toEqual(Array.from(approximate));
    const report = JSON.parse(read('d.json'));
    expect(report.neighbors).toMatchObject({ engine: 'nn-descent', exact: false, recallRows: rows });
    const exact = await knnDistance().fit(points);
    const [one, other] = [approximate, exact].map((values) => ({ density: values, weights: inverseDensity()(values) }));
    expect(report.agreement).toMatchObject(agreementReport(one!, other!));
  });

  test('refuses options that exclude each other', async () => {
    const { code, stderr } = await run(
      'density --embeddings e.safetensors --estimator kernel --kernel angular --bandwidth 1 --out x',
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('--kernel angular has no --bandwidth')]);
  });

  test('warns if the embeddings were computed from other texts, which have the same ids', async () => {
    const write = (last: string) => {
      const prompts = ['one', 'two', 'three', last].map((prompt, id) => JSON.stringify({ id: `p${id}`, prompt }));
      writeFileSync(join(cwd, 'p.jsonl'), `${prompts.join('\n')}\n`);
    };
    write('four');
    expect(await run('embed --data p.jsonl --embedder hash --out p.npy')).toMatchObject({ code: 0 });
    const weigh = () => run('density --prompts p.jsonl --embeddings p.npy --k 2 --out p-weights.jsonl');
    expect((await weigh()).stderr).not.toContain('other content');
    write('a text that was not embedded');
    const { code, stderr } = await weigh();
    expect(code).toBe(0);
    expect(stderr).toContain('the rows of p.npy were computed from p.jsonl with other content than p.jsonl has now');
  });

  test('a bandwidth of 0 is refused, not treated as missing', async () => {
    const { code, stderr } = await run(
      'density --embeddings e.safetensors --estimator kernel --bandwidth 0 --out x.jsonl',
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('bandwidth must be finite and above')]);
  });
});

test.each([
  ['sample --embeddings e.safetensors --budget 9 --out ./e.safetensors', '--embeddings and --out are the same file'],
  ['sample --embeddings e.npy --budget 9 --out x --report x', '--out and --report are the same file, x'],
  ['density --embeddings e.safetensors --out x --report e.safetensors', '--embeddings and --report are the same file'],
])('refuses to overwrite another file of the same call: %s', async (line, message) => {
  const before = read('e.safetensors');
  const { code, stderr } = await run(line);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  expect(read('e.safetensors')).toBe(before);
});

test.each([
  ['density --kernel angular', '--kernel applies only to kernel; the estimator is knn-distance.'],
  ['density --hashes 4', '--hashes applies only to kernel and race; the estimator is knn-distance.'],
  [
    'density --compare race --clusters 3',
    '--clusters applies only to cluster; the estimators are knn-distance and race.',
  ],
  [
    'density --estimator race --k 5',
    '--k applies only to knn-distance, knn-similarity and kernel; the estimator is race.',
  ],
  ['density --estimator kernel --k 5', '--k applies to kernel only with --samples.'],
  ['density --estimator kernel --hashes 5', '--hashes applies to kernel only with --kernel angular.'],
  [
    'density --estimator cluster --neighbors exact',
    '--neighbors applies only to knn-distance, knn-similarity and kernel; the estimator is cluster.',
  ],
  [
    'density --compare race --compare-neighbors exact',
    '--compare-neighbors applies only to knn-distance, knn-similarity and kernel; the estimator is race.',
  ],
  ['density --rows-as int8', '--rows-as applies only to hnsw; the neighbor search is auto.'],
  ['sample --budget 9 --rows-as int8', '--rows-as applies only to hnsw; the neighbor search is auto.'],
  ['sample --budget 9 --clusters 3', '--clusters applies only to cluster-balanced; the method is weighted.'],
  ...['k', 'eps', 'exponent', 'cap'].map((option) => [
    `sample --budget 9 --method coverage --${option} 1`,
    `--${option} applies only to weighted and cluster-balanced; the method is coverage.`,
  ]),
])('refuses an option that would be ignored: %s', async (line, message) => {
  const { code, stderr } = await run(`${line} --embeddings e.safetensors --out ignored`);
  expect([code, stderr]).toEqual([2, expect.stringContaining(`rarefy: ${message}`)]);
});

test.each([
  '--compare race --race-rows 100',
  '--estimator race --compare kernel --kernel angular --samples 9 --k 5 --neighbors exact',
])('accepts options of the other estimator: density %s', async (options) => {
  expect(await run(`density --embeddings e.safetensors ${options} --out d.jsonl`)).toMatchObject({ code: 0 });
});

test('the error for a number that is not finite names the file and the row', async () => {
  const bytes = readFileSync(join(cwd, 'e.safetensors'));
  bytes.writeUInt32LE(0x7fc00000, 8 + Number(bytes.readBigUInt64LE(0)) + 4 * (12 * 5 + 3));
  writeFileSync(join(cwd, 'nan.safetensors'), bytes);
  for (const [line, name] of [
    ['sample --budget 9 --method coverage', 'points'],
    ['sample --budget 9', 'vectors'],
    ['density', 'vectors'],
    ['density --estimator kernel', 'points'],
    ['density --estimator race', 'points'],
    ['density --estimator cluster', 'points'],
    ['density --neighbors exact', 'vectors'],
  ]) {
    const { code, stderr } = await run(`${line} --embeddings nan.safetensors --out x`);
    const message = `rarefy: nan.safetensors: ${name} have NaN in row 5, column 3; remove or correct that row`;
    expect([line, code, stderr.trimEnd().split('\n').at(-1)]).toEqual([line, 1, message]);
  }
});

test.skipIf(usearchReason !== '')(
  `--neighbors hnsw --rows-as int8 reads the file in blocks${usearchReason}`,
  async () => {
    const many = clusters([0.1, 0.3, 0.6], 400, 12, 5);
    const names = Array.from({ length: many.rows }, (_, row) => `${row}`);
    await writeEmbeddings(join(cwd, 'many.safetensors'), { ids: names, embeddings: many });
    const env = { NODE_PATH: join(process.env.RAREFY_COMPONENTS ?? '', 'node_modules') };
    const start = (line: string) => startRarefy(line.split(' '), { cwd, env }).result;
    const weigh = await start(
      'density --embeddings many.safetensors --neighbors hnsw --rows-as int8 --out h.jsonl --report h.json',
    );
    expect([weigh.code, weigh.stderr]).toEqual([0, expect.stringMatching(/% of the true neighbou?rs/)]);
    const { neighbors } = JSON.parse(read('h.json'));
    expect(neighbors).toMatchObject({ engine: 'hnsw', exact: false, recallRows: 1000 });
    expect(neighbors.index).toContain('dtype=int8');
    expect(neighbors.recall).toBeGreaterThan(0.98);
    const exact = await knnDistance().fit(many);
    const lines = read('h.jsonl').trimEnd().split('\n');
    const same = lines.filter((line, row) => JSON.parse(line).density === exact[row]);
    expect(same.length).toBeGreaterThan(0.9 * many.rows);
    const draw = await start(
      'sample --embeddings many.safetensors --neighbors hnsw --rows-as int8 --budget 9 --out h.txt --report s.json',
    );
    expect(draw.code).toBe(0);
    expect(JSON.parse(read('s.json')).neighbors.index).toContain('metric=dot,dtype=int8');
  },
);
