import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { counterRandom, embed } from '@rarefy/core';
import { onnxEmbedder } from '@rarefy/embedders/onnx';
import { readJsonl } from '@rarefy/io';

const cols = 384;
const folder = fileURLToPath(new URL('../../../out/bench-data', import.meta.url));
const realRows = 50_000;

/**
 * Rows on disk, for the peers, and in memory. Created once; the same on every machine except for the last bits of `log` and `cos`.
 */
function stored(name, rows, make) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.f32`);
  if (!existsSync(file)) writeFileSync(file, make());
  const bytes = readFileSync(file).subarray(0, 4 * rows * cols);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return { name, file, points: { data, rows, cols } };
}

function normals(seed) {
  const random = counterRandom(seed);
  let at = 0;
  return () => Math.sqrt(-2 * Math.log(1 - random.uniform(at++))) * Math.cos(2 * Math.PI * random.uniform(at++));
}

/** Independent normal numbers, the hardest case for searches that use structure. */
export function gaussian(rows) {
  return stored(`gaussian-${rows}`, rows, () => {
    const next = normals(1);
    return Float32Array.from({ length: rows * cols }, next);
  });
}

/** Unit rows around 500 centers, in 32 directions each. */
export function clustered(rows) {
  return stored(`clustered-${rows}`, rows, () => {
    const next = normals(2);
    const vectors = (count) => Array.from({ length: count }, () => Float64Array.from({ length: cols }, next));
    const [centers, directions] = [vectors(500), vectors(32)];
    const data = new Float32Array(rows * cols);
    for (let row = 0; row < rows; row++) {
      const own = Float64Array.from(centers[row % centers.length]);
      for (const direction of directions) {
        const step = 0.1 * next();
        for (let col = 0; col < cols; col++) own[col] += step * direction[col];
      }
      const length = Math.hypot(...own);
      for (let col = 0; col < cols; col++) data[row * cols + col] = own[col] / length;
    }
    return data;
  });
}

/**
 * Real prompts, truncated to 200 characters so that many are equal, embedded with all-MiniLM-L6-v2; undefined without
 * RAREFY_REAL_PROMPTS (JSON Lines with a `prompt`), RAREFY_MODELS and RAREFY_COMPONENTS.
 */
export async function real() {
  const name = `real-${realRows}`;
  if (!existsSync(join(folder, `${name}.f32`))) {
    const { RAREFY_REAL_PROMPTS: file, RAREFY_MODELS: models, RAREFY_COMPONENTS: components } = process.env;
    if (!file || !models || !components) return undefined;
    const texts = [];
    for await (const { value } of readJsonl(file)) {
      texts.push(value.prompt.slice(0, 200));
      if (texts.length === realRows) break;
    }
    const lib = createRequire(import.meta.url)(join(components, 'node_modules', 'onnxruntime-node'));
    const embedder = await onnxEmbedder(join(models, 'all-MiniLM-L6-v2'), { lib });
    const distinct = [...new Set(texts)]; // equal texts get equal bytes
    const { data } = await embed(embedder, distinct, { batchSize: embedder.capabilities.maxBatch });
    await embedder[Symbol.asyncDispose]();
    const rowOf = new Map(distinct.map((text, row) => [text, row]));
    const all = new Float32Array(texts.length * cols);
    texts.forEach((text, row) => {
      const from = rowOf.get(text) * cols;
      all.set(data.subarray(from, from + cols), row * cols);
    });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.f32`), all);
  }
  return stored(name, realRows);
}

/** The first `rows` distinct rows of a set, on disk and in memory. */
export function distinctRows({ name, points }, rows) {
  return stored(`${name}-distinct-${rows}`, rows, () => {
    const seen = new Set();
    const data = new Float32Array(rows * cols);
    for (let row = 0; row < points.rows && seen.size < rows; row++) {
      const values = points.data.subarray(row * cols, (row + 1) * cols);
      const key = Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('latin1');
      if (seen.has(key)) continue;
      data.set(values, seen.size * cols);
      seen.add(key);
    }
    if (seen.size < rows) throw new Error(`${name} has only ${seen.size} distinct rows`);
    return data;
  });
}
