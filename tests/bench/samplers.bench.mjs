import { counterRandom } from '@rarefy/core';
import { grpoLoader } from '@rarefy/grpo';
import { aliasTable, drawWithoutReplacement, frozenWeightedSampler, sumTree, weightedSampler } from '@rarefy/samplers';
import { leastTimes } from './measure.mjs';
import { runPeer } from './peers/python.mjs';

const size = 1_000_000;
const subsetSize = 100_000;
const blocks = 256;
const blockLength = 1024;
const operations = blocks * blockLength;
const random = counterRandom(5);

/** Weights that hardly differ, like those of plain inverse density, and weights that differ a lot. */
const laws = {
  'nearly equal': Float64Array.from({ length: size }, (_, position) => 1 + 0.1 * random.uniform(position)),
  'log-normal': Float64Array.from({ length: size }, (_, position) => {
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform(2 * position)));
    return Math.exp(1.5 * radius * Math.cos(2 * Math.PI * random.uniform(2 * position + 1)));
  }),
};

/** Draws, updates and builds of a million weights, against a bare loop of the generator, numpy and torch. */
export async function bench() {
  const results = [];
  const peers = runPeer('samplers.py') ?? {};
  for (const [law, weights] of Object.entries(laws)) {
    const times = drawTimes(weights);
    const builds = buildTimes(weights);
    const against = 'a bare generator loop';
    for (const [name, value] of Object.entries(times)) {
      if (name === 'generator') continue;
      results.push({ name: `${name}, ${law}`, value, unit: 'ns', against, ratio: value / times.generator });
    }
    for (const [name, value] of Object.entries(builds)) {
      results.push({ name: `${name}, ${law}`, value: value / 1e6, unit: 'ms' });
    }
    if (law !== 'log-normal') continue;
    results.push({ name: 'a bare generator loop', value: times.generator, unit: 'ns' });
    for (const [peer, theirs] of Object.entries(peers)) {
      const compare = (name, value, other, their) =>
        results.push({ name, value, unit: 'ns', against: `${peer}, ${other}`, ratio: value / their });
      compare('draw of frozen weights', times['draw, alias table'], 'with replacement', theirs.draw);
      compare('draw of a frozen sampler', times['draw, frozen sampler'], 'with replacement', theirs.draw);
      const withProbabilities = times['draw, frozen sampler, probabilities read'];
      compare('draw of a frozen sampler, probabilities read', withProbabilities, 'with replacement', theirs.draw);
      compare('draw under changing weights', times['draw, sum tree'], 'with replacement', theirs.draw);
      const subset = builds['100,000 without replacement'] / subsetSize;
      compare('draw without replacement', subset, 'without replacement', theirs.without_replacement);
    }
  }
  results.push(await loaderShare());
  return results;
}

/** Nanoseconds per draw or update, generator included; in batches of `blockLength` unless stated otherwise. */
function drawTimes(weights) {
  const uniforms = new Float64Array(blockLength);
  const positions = new Int32Array(blockLength);
  const changes = new Float64Array(blockLength).fill(1.5);
  let index = 0;
  const task = (block) => ({
    operations,
    run() {
      for (let done = 0; done < blocks; done++) {
        random.fill(index, uniforms);
        index += blockLength;
        block();
      }
    },
  });
  const oneByOne = (draw) => ({
    operations,
    run() {
      for (const end = index + operations; index < end; index++) draw(random.uniform(index));
    },
  });
  const table = aliasTable(weights);
  const tree = sumTree(weights);
  const updated = sumTree(weights);
  const frozen = frozenWeightedSampler(weights, { seed: 1 });
  const changing = weightedSampler(weights, { seed: 1 });
  const refreshed = weightedSampler(weights, { seed: 1 });
  const updates = Array.from({ length: blocks }, (_, at) => ({
    positions: Int32Array.from({ length: blockLength }, (_, draw) =>
      Math.floor(random.uniform(at * blockLength + draw) * size),
    ),
    weights: changes,
  }));
  let version = 0;
  return leastTimes(
    {
      generator: {
        operations,
        run() {
          for (let done = 0; done < blocks; done++) {
            for (let draw = 0; draw < blockLength; draw++) uniforms[draw] = random.uniform(index + draw);
            index += blockLength;
          }
        },
      },
      'the generator in batches': task(() => {}),
      'draw, alias table': task(() => table.findAll(uniforms, positions)),
      'draw, sum tree': task(() => tree.findAll(uniforms, positions)),
      'update, sum tree': task(() => {
        for (let draw = 0; draw < blockLength; draw++) positions[draw] = Math.floor(uniforms[draw] * size);
        updated.updateAll(positions, changes);
      }),
      'draw, alias table, one by one': oneByOne(table.find),
      'draw, sum tree, one by one': oneByOne(tree.find),
      'update, sum tree, one by one': oneByOne((uniform) => updated.update(Math.floor(uniform * size), 1.5)),
      'draw, frozen sampler': { operations, run: () => frozen.draw(operations) },
      'draw, frozen sampler, probabilities read': { operations, run: () => frozen.draw(operations).probabilities },
      'draw, changing sampler': { operations, run: () => changing.draw(operations) },
      'update, changing sampler': {
        operations,
        run() {
          for (const update of updates) refreshed.update({ version: ++version, ...update });
        },
      },
    },
    20,
  );
}

/** Nanoseconds per structure or sample. */
function buildTimes(weights) {
  return leastTimes(
    {
      'building the alias table': { operations: 1, run: () => aliasTable(weights) },
      'building the sum tree': { operations: 1, run: () => sumTree(weights) },
      'building a frozen sampler': { operations: 1, run: () => frozenWeightedSampler(weights, { seed: 1 }) },
      'building a changing sampler': { operations: 1, run: () => weightedSampler(weights, { seed: 1 }) },
      '100,000 without replacement': { operations: 1, run: () => drawWithoutReplacement(weights, subsetSize, random) },
    },
    12,
  );
}

/** CPU time of sampler and loader per training step, with batches of 32 of a million prompts. */
async function loaderShare() {
  const prompts = Array.from({ length: size }, (_, position) => position);
  const sampler = weightedSampler(laws['log-normal'], { seed: 1 });
  const batches = grpoLoader(prompts, { sampler, batchSize: 32, groupSize: 8, prefetch: 0 })[Symbol.asyncIterator]();
  const steps = 500;
  let value = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const started = process.cpuUsage();
    for (let step = 0; step < steps; step++) await batches.next();
    const { user, system } = process.cpuUsage(started);
    value = Math.min(value, (user + system) / steps);
  }
  const name = 'sampler and loader per step of 32 prompts';
  return { name, value, unit: 'µs', against: 'a step of 50 ms', ratio: value / 50_000 };
}
