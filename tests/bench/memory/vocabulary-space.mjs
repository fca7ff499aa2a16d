// Density of prompts by the distances of their mean logits, in a process of its own that tells its peak memory. Called by
// memory.bench.mjs and tests/memory.test.ts: node --max-old-space-size=512 vocabulary-space.mjs '{"prompts": …}'
import { readFileSync } from 'node:fs';
import { counterRandom } from '@rarefy/core';
import { densityOf, knnDistance } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import { activate, chatFormat, trainBytePairTokenizer } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';

const { prompts, vocabulary, hidden, k, softCap, memoryBytes } = JSON.parse(process.argv[2]);
const words = 'how do I bake bread where is the garden of a small house near that old river bank'.split(' ');
await activate('wasm');
const tokenizer = trainBytePairTokenizer([words.join(' ')], { vocabularySize: 300 });

/** Numbers about normal with this deviation (Irwin and Hall: the sum of 4 uniforms), the same for a seed. */
function normals(count, deviation, seed) {
  const random = counterRandom(seed);
  const data = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const sum =
      random.uniform(4 * i) + random.uniform(4 * i + 1) + random.uniform(4 * i + 2) + random.uniform(4 * i + 3);
    data[i] = deviation * Math.sqrt(3) * (sum - 2);
  }
  return data;
}

// A model of one layer: a token's hidden state is its row of a table. The head is as wide as a real one.
const table = tf.variable(tf.tensor2d(normals(300 * hidden, 1, 1), [300, hidden]));
const weight = tf.variable(tf.tensor2d(normals(vocabulary * hidden, hidden ** -0.5, 2), [vocabulary, hidden]));
const cap = (x) => (softCap === undefined ? x : tf.mul(tf.tanh(tf.div(x, softCap)), softCap));
const model = {
  description: {
    family: 'custom',
    vocabularySize: vocabulary,
    hiddenSize: hidden,
    maxPositions: 128,
    ...(softCap && { softCap }),
  },
  parameters: { table },
  head: { weight, ...(softCap && { softCap }) },
  hiddenStates: (ids) => tf.tidy(() => tf.gather(table, ids)),
  logits: (states) => tf.tidy(() => cap(tf.matMul(states, weight, false, true))),
};

/** Prompts of 8 to 15 words, the first of the list more often. */
const random = counterRandom(3);
const items = Array.from({ length: prompts }, (_, row) => {
  const length = 8 + Math.floor(8 * random.uniform(16 * row));
  const pick = (at) => words[Math.floor(words.length * random.uniform(16 * row + at) ** 2)];
  return Array.from({ length }, (_, at) => pick(at + 1)).join(' ');
});

const before = process.cpuUsage();
const started = performance.now();
const messages = [];
let head = await logitsEmbedder({ model, tokenizer });
const form = head.fingerprint.split(':')[1];
const { density, fingerprint, distanceError } = await densityOf(items, {
  embedder: head,
  estimator: knnDistance({ k }),
  batchSize: 256,
  memoryBytes,
  onEvent: (event) => {
    if (event.type === 'work-message' || event.type === 'work-warning') messages.push(event.message);
  },
});
head = undefined;
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - started) / 1000;
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;

// The same density from the logits themselves, for a few prompts against all others.
const checked = await largestDeviation();
console.log(
  JSON.stringify({
    form,
    fingerprint: fingerprint.split(':').slice(0, 2).join(':'),
    cpuSeconds: (user + system) / 1e6,
    seconds,
    peakBytes: peak,
    allBytes: 4 * prompts * vocabulary,
    distanceError,
    checked,
    messages,
  }),
);

/** Largest relative error of the mean distance of sampled prompts, against float64 distances between their logits. */
async function largestDeviation() {
  const sample = Array.from({ length: 3 }, (_, at) => Math.floor(((at + 0.5) * prompts) / 3));
  const format = chatFormat(tokenizer);
  const bags = items.map((item) => {
    const { ids } = format.prompt(item, 128);
    const bag = new Map();
    for (const id of ids) bag.set(id, (bag.get(id) ?? 0) + 1 / ids.length);
    return bag;
  });
  const tokens = [...new Set(bags.flatMap((bag) => [...bag.keys()]))];
  const logits = new Map();
  // This model's logits at a token depend on the token alone, so few vectors of V numbers make the mean logits of every prompt.
  for (const token of tokens) {
    const row = tf.tidy(() => model.logits(tf.slice(table, [token, 0], [1, hidden])));
    logits.set(token, Float64Array.from(await row.data()));
    row.dispose();
  }
  const gram = new Map();
  const inner = (a, b) => {
    const key = a < b ? a * 300 + b : b * 300 + a;
    let sum = gram.get(key);
    if (sum === undefined) {
      sum = 0;
      const [x, y] = [logits.get(a), logits.get(b)];
      for (let v = 0; v < vocabulary; v++) sum += x[v] * y[v];
      gram.set(key, sum);
    }
    return sum;
  };
  const product = (one, other) => {
    let sum = 0;
    for (const [a, x] of one) for (const [b, y] of other) sum += x * y * inner(a, b);
    return sum;
  };
  const norms = bags.map((bag) => Math.sqrt(product(bag, bag)));
  let worst = 0;
  for (const row of sample) {
    const distances = bags.flatMap((bag, other) => {
      if (other === row) return [];
      return Math.sqrt(Math.max(0, 2 - (2 * product(bags[row], bag)) / (norms[row] * norms[other])));
    });
    distances.sort((a, b) => a - b);
    const mean = distances.slice(0, k).reduce((sum, value) => sum + value) / k;
    worst = Math.max(worst, Math.abs((1 / density[row] - 1e-6) / mean - 1));
  }
  return worst;
}
