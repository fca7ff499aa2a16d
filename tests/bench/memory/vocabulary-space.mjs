// Density of prompts by the distances of their mean logits; prints the peak memory of this process. Run by
// memory.bench.mjs and tests/memory.test.ts: node --max-old-space-size=512 vocabulary-space.mjs '{"prompts": …}'
import { knnDistance, weighPrompts } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import { activate } from '@rarefy/lm';
import { autoIndex } from '@rarefy/neighbors/auto';
import { chatFormat } from '@rarefy/tokenizers';
import { oneLayerModel, wordPrompts } from './one-layer-model.mjs';
import { peakBytes } from './peak-bytes.mjs';

const { prompts, k, memoryBytes, exactUpTo, ...size } = JSON.parse(process.argv[2]);
await activate('wasm');
const { model, tokenizer, logitsOf } = oneLayerModel(size);
const items = wordPrompts(prompts);

const before = process.cpuUsage();
const started = performance.now();
const messages = [];
const { density, fingerprint, distanceError } = await weighPrompts(items, {
  embedder: await logitsEmbedder({ model, tokenizer }),
  estimator: knnDistance({ k, index: () => autoIndex({ exactUpTo }) }),
  batchSize: 256,
  memoryBytes,
  onEvent: (event) => {
    if (event.type === 'work-message' || event.type === 'work-warning') messages.push(event.message);
  },
});
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - started) / 1000;
const measured = {
  fingerprint: fingerprint.split(':').slice(0, 2).join(':'),
  cpuSeconds: (user + system) / 1e6,
  seconds,
  peakBytes: peakBytes(),
  allBytes: 4 * prompts * size.vocabulary,
  distanceError,
  messages,
};
console.log(JSON.stringify({ ...measured, largestDeviation: await largestDeviation() }));

/** Largest relative error of the mean distances of sampled prompts, against float64 distances of mean logits to all others. */
async function largestDeviation() {
  const format = chatFormat(tokenizer);
  const bags = items.map((item) => {
    const { ids } = format.prompt(item, 128);
    const bag = new Map();
    for (const id of ids) bag.set(id, (bag.get(id) ?? 0) + 1 / ids.length);
    return bag;
  });
  // The logits of this model depend only on the token, so the logits of few tokens give the mean logits of every prompt.
  const logits = new Map();
  for (const token of new Set(bags.flatMap((bag) => [...bag.keys()]))) logits.set(token, await logitsOf(token));
  const products = new Map();
  const tokenProduct = (a, b) => {
    const key = Math.min(a, b) * size.vocabulary + Math.max(a, b);
    if (products.has(key)) return products.get(key);
    const [x, y] = [logits.get(a), logits.get(b)];
    const product = x.reduce((sum, value, at) => sum + value * y[at], 0);
    products.set(key, product);
    return product;
  };
  const product = (one, other) => {
    let sum = 0;
    for (const [a, x] of one) for (const [b, y] of other) sum += x * y * tokenProduct(a, b);
    return sum;
  };
  const norms = bags.map((bag) => Math.sqrt(product(bag, bag)));
  let worst = 0;
  for (let sample = 0; sample < 3; sample++) {
    const row = Math.floor(((sample + 0.5) * prompts) / 3);
    const distances = Float64Array.from(bags, (bag, other) => {
      if (other === row) return Infinity;
      return Math.sqrt(Math.max(0, 2 - (2 * product(bags[row], bag)) / (norms[row] * norms[other])));
    }).sort();
    const mean = distances.subarray(0, k).reduce((sum, value) => sum + value) / k;
    worst = Math.max(worst, Math.abs((1 / density[row] - 1e-6) / mean - 1));
  }
  return worst;
}
