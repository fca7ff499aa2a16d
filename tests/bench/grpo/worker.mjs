// One tfjs backend in a process of its own, on one thread, for grpo.bench.mjs: `node worker.mjs wasm [recompute]`. Reads one JSON
// request per line from stdin and answers each with one line; see `answers`.
import { createInterface } from 'node:readline';
import { dapoLoss } from '@rarefy/grpo';
import { activate, generate, initialWeights, languageModel, recomputed, tokenStatistics } from '@rarefy/lm';
import { accumulateGradients, adamW } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { peakBytes } from '../memory/peak-bytes.mjs';
import { config, problem, promptLength, rows } from './problem.mjs';

const [backend, recompute] = process.argv.slice(2);
await activate(backend);
const bytesBefore = process.memoryUsage.rss();
const built = languageModel(config, initialWeights(config, 1));
const model = recompute ? recomputed(built) : built;
const optimizer = adamW(model.parameters, { learningRate: 1e-4, maxGradNorm: 1 });
const { tokens, advantages } = problem();
const ids = tf.tensor2d(tokens, [rows, tokens.length / rows], 'int32');
const columns = ids.shape[1];
const completions = columns - promptLength;
const mask = tf.onesLike(ids);
const completionIds = tf.reshape(tf.slice(ids, [0, promptLength], [rows, completions]), [-1]);
const loss = dapoLoss();
const given = { mask: tf.ones([rows, completions], 'int32'), advantages: tf.tensor1d(advantages) };
const totals = { sequences: rows, tokens: rows * completions, maxCompletionLength: completions };

/** Log-probabilities and entropies of the completions, as the trainer calculates them. */
function current() {
  const hidden = tf.slice(model.hiddenStates(ids, mask), [0, promptLength - 1, 0], [rows, completions, config.n_embd]);
  const logits = model.logits(tf.reshape(hidden, [rows * completions, config.n_embd]));
  const { logProbabilities, entropies } = tokenStatistics(logits, completionIds);
  const shaped = (values) => tf.reshape(values, [rows, completions]);
  return { logProbabilities: shaped(logProbabilities), entropies: shaped(entropies) };
}

/** One GRPO step: log-probabilities and entropies of the completions, loss, gradients, clipping, AdamW. */
async function step() {
  const { loss: value, gradients } = await accumulateGradients(model.parameters, [
    () => loss.loss({ ...given, ...current() }, totals),
  ]);
  const norm = optimizer.step(gradients);
  tf.dispose(gradients);
  return { value, norm };
}

const answers = {
  /** CPU milliseconds of one step. */
  step: () => measured(step),
  /** CPU milliseconds of 128 new tokens of one completion per row, whose prompt has `promptTokens`. */
  generate: ({ cache, promptTokens }) =>
    measured(async () => {
      const prompts = Array.from({ length: rows }, (_, row) =>
        Int32Array.from(tokens.slice(row * columns, row * columns + promptTokens)),
      );
      await generate(model, prompts, { maxNewTokens: 128, stopId: -1, seed: 1, cache });
    }),
  /**
   * Peak memory of two steps in bytes, with weights and moments of AdamW: the heap of wasm, which never shrinks, or else what the
   * process took since the backend was loaded.
   */
  async memory() {
    for (let index = 0; index < 2; index++) await step();
    const heap = tf.backend().wasm?.HEAPU8.buffer.byteLength;
    return { bytes: heap ?? peakBytes() - bytesBefore };
  },
  /** Tensors before and after some steps. */
  async tensors({ steps }) {
    const before = tf.memory().numTensors;
    for (let index = 0; index < steps; index++) await step();
    return { before, after: tf.memory().numTensors };
  },
};

async function measured(run) {
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  return { ...result, ms: (user + system) / 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...request } = JSON.parse(line);
  console.log(JSON.stringify(await answers[what](request)));
}
