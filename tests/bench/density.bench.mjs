import { clusterDensity, kernelDensity, raceDensity } from '@rarefy/density';
import { clusters } from '@rarefy/testing';

const cols = 384;
const points = 5000;

/** Rows of length 1 in 50 clusters of different widths. */
const rows = clusters(
  Array.from({ length: 50 }, (_, at) => 0.2 + 0.02 * at),
  points / 50,
  cols,
  3,
);

/** Minimum CPU seconds of several runs. */
async function leastSeconds(run, rounds = 5) {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

/** Relative errors of the sketch against the exact kernel density, ascending. */
async function raceErrors(exact, options) {
  const estimated = await raceDensity(options).fit(rows);
  return estimated.map((value, row) => Math.abs(value / exact[row] - 1)).sort();
}

/** Sketches: points per second and error. Kernel and cluster densities: time relative to comparing all pairs. */
export async function bench() {
  const results = [];
  const add = (name, value, unit, compared = {}) => results.push({ name, value, unit, ...compared });
  const exact = new Map();
  let allPairs = 0;
  for (const power of [4, 8]) {
    const estimator = kernelDensity({ kernel: 'angular', power });
    allPairs = await leastSeconds(async () => exact.set(power, await estimator.fit(rows)), 2);
  }
  const against = `kernel density of all pairs, ${points} x ${cols}`;
  add(against, allPairs, 's');
  for (const [counterRows, hashes] of [
    [100, 4],
    [100, 8],
    [1000, 4],
    [1000, 8],
    [2000, 8],
  ]) {
    const sketch = raceDensity({ rows: counterRows, hashes });
    const seconds = await leastSeconds(() => sketch.update(rows));
    const name = `RACE of ${counterRows} rows, ${hashes} hashes`;
    add(`${name}: points added per CPU second`, points / seconds, '/s');
    const errors = await raceErrors(exact.get(hashes), { rows: counterRows, hashes });
    add(`${name}: error, median`, 100 * errors[points >> 1], '%');
    add(`${name}: error, 95 % of points below`, 100 * errors[Math.floor(0.95 * points)], '%');
  }
  const sampled = kernelDensity({ kernel: 'angular', power: 8, method: 'near-and-random', k: 0, samples: 200 });
  const seconds = await leastSeconds(() => sampled.fit(rows), 2);
  add('kernel density of 200 random rows', seconds, 's', { against, ratio: seconds / allPairs });
  const grouped = await leastSeconds(() => clusterDensity().fit(rows), 2);
  add('cluster density', grouped, 's', { against, ratio: grouped / allPairs });
  return results;
}
