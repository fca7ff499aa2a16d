import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { embed } from '@rarefy/core';
import { readPairs, uniquePrompts } from '@rarefy/data';
import { onnxEmbedder } from '@rarefy/embedders/onnx';
import { embedToFile } from '@rarefy/embeddings';
import { startPeer } from './peers/python.mjs';

const count = 2000;
const rounds = 3;
const jobRows = 6000;
const pairs = fileURLToPath(new URL('../../examples/data/pairs.jsonl', import.meta.url));

/**
 * Embeds 2,000 short prompts with all-MiniLM-L6-v2, in turns with sentence-transformers. Also measures the share of padding and the
 * memory of a job. RAREFY_MODELS is the folder of the model, RAREFY_COMPONENTS that of onnxruntime-node.
 */
export async function bench() {
  const folder = join(process.env.RAREFY_MODELS ?? '', 'all-MiniLM-L6-v2');
  const library = join(process.env.RAREFY_COMPONENTS ?? '', 'node_modules', 'onnxruntime-node');
  if (!existsSync(join(folder, 'modules.json')) || !existsSync(library)) {
    throw new Error('set RAREFY_MODELS (with all-MiniLM-L6-v2) and RAREFY_COMPONENTS (with onnxruntime-node)');
  }
  const tokens = { all: 0, real: 0 };
  const embedder = await onnxEmbedder(folder, {
    lib: countingRuntime(createRequire(import.meta.url)(library), tokens),
  });
  const texts = (await uniquePrompts(readPairs(pairs))).slice(0, count).map(({ prompt }) => prompt);
  const batchSize = embedder.capabilities.maxBatch;
  const ours = { cpu: Number.POSITIVE_INFINITY, wall: Number.POSITIVE_INFINITY };
  const theirs = { ...ours };
  const peer = startPeer('embed.py');
  await peer?.ask({ folder, texts: texts.slice(0, 64) });
  await embed(embedder, texts.slice(0, 64), { batchSize });
  Object.assign(tokens, { all: 0, real: 0 });
  for (let round = 0; round < rounds; round++) {
    keepLeast(ours, await measured(() => embed(embedder, texts, { batchSize })));
    if (peer) keepLeast(theirs, await peer.ask({ folder, texts }));
  }
  peer?.end();
  const padding = 1 - tokens.real / tokens.all;
  const memory = await memoryOfJob(embedder, texts, batchSize);
  await embedder[Symbol.asyncDispose]();

  const compare = (name, value, their) => ({
    ...{ name, value, unit: 's' },
    ...(peer ? { against: 'sentence-transformers', ratio: value / their } : {}),
  });
  return [
    compare('2,000 short prompts, MiniLM, CPU time', ours.cpu, theirs.cpu),
    compare('2,000 short prompts, MiniLM, elapsed', ours.wall, theirs.wall),
    { name: 'padding among the tokens', value: 100 * padding, unit: '%' },
    {
      name: `resident memory at the end of ${jobRows} prompts`,
      value: memory.last / 2 ** 20,
      unit: 'MiB',
      against: 'a quarter of the way',
      ratio: memory.last / memory.early,
    },
  ];
}

/** Mean resident memory in the second and in the last quarter of a job. */
async function memoryOfJob(embedder, texts, batchSize) {
  const folder = mkdtempSync(join(tmpdir(), 'rarefy-bench-'));
  const rows = Array.from({ length: jobRows }, (_, row) => ({
    id: `${row}`,
    item: `${texts[row % count]} (${Math.floor(row / count)})`,
  }));
  const samples = [];
  const onEvent = ({ type, done }) => {
    if (type === 'work-progress') samples.push({ done, bytes: process.memoryUsage.rss() });
  };
  await embedToFile(embedder, rows, { out: join(folder, 'e.safetensors'), shardRows: 256, batchSize, onEvent });
  rmSync(folder, { recursive: true });
  const mean = (from, to) => {
    const part = samples.filter(({ done }) => done > from * jobRows && done <= to * jobRows);
    return part.reduce((sum, { bytes }) => sum + bytes, 0) / part.length;
  };
  return { early: mean(0.25, 0.5), last: mean(0.75, 1) };
}

async function measured(run) {
  const before = process.cpuUsage();
  const started = performance.now();
  await run();
  const wall = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e6, wall };
}

function keepLeast(least, { cpu, wall }) {
  least.cpu = Math.min(least.cpu, cpu);
  least.wall = Math.min(least.wall, wall);
}

/** Wraps the runtime to count all tokens and the real tokens that its graphs receive. */
function countingRuntime(runtime, tokens) {
  const create = async (...args) => {
    const session = await runtime.InferenceSession.create(...args);
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      release: () => session.release(),
      run(feeds, fetches) {
        for (const value of feeds.attention_mask.data) {
          tokens.all++;
          if (value === 1n) tokens.real++;
        }
        return session.run(feeds, fetches);
      },
    };
  };
  return { InferenceSession: { create }, Tensor: runtime.Tensor };
}
