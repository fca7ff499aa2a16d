import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';
import { languageModel, type WeightValues } from '../../language-model.js';
import { loadTokenizer } from '../../tokenizer/load-tokenizer.js';
import { tokenizerFromJson } from '../../tokenizer/tokenizer-from-json.js';
import type { LoadedModel } from '../model-folder.js';
import { configFromMetadata, type GgufMetadata } from './config-from-metadata.js';
import { dequantize, storedBytes } from './dequantize.js';
import { tokenizerFromMetadata } from './tokenizer-from-metadata.js';

/** A weight as the file's header tells it. `shape` has the rows last. */
interface TensorPlace {
  readonly name: string;
  readonly shape: readonly bigint[];
  readonly dtype: number;
  readonly offset: bigint;
}

/** Hugging Face names of a layer's weights, by their GGUF names. */
const layerNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const otherNames: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

/**
 * Loads a GGUF file of the llama architecture, on the current tfjs backend; quantised weights are widened to float32. The tokenizer is
 * that of the file, or of the `tokenizer.json` beside it when there is one.
 * @throws InputError for a file that is missing or of a kind that is not read; CorruptFileError for a damaged one.
 */
export async function loadGguf(path: string): Promise<LoadedModel> {
  const file = await open(path).catch((cause: Error) => {
    throw new InputError(`${path} cannot be read: ${cause.message}`, { cause });
  });
  try {
    const { metadata, tensors, start } = await readHeader(path);
    const embedding = tensors.find(({ name }) => name === 'token_embd.weight');
    if (embedding === undefined) throw new CorruptFileError(`${path} has no token_embd.weight`);
    if (tensors.some(({ name }) => name === 'rope_freqs.weight')) {
      throw new InputError(`${path} has scaled rotary positions, which are not supported`);
    }
    const isTied = !tensors.some(({ name }) => name === 'output.weight');
    const vocabularySize = Number(embedding.shape[1]);
    const config = configFromMetadata(metadata, { vocabularySize, isTied, source: path });
    const beside = join(dirname(path), 'tokenizer.json');
    const tokenizer = existsSync(beside)
      ? await loadTokenizer(beside)
      : tokenizerFromJson(tokenizerFromMetadata(metadata, path), {}, path);
    const heads = { q: Number(config.num_attention_heads), k: Number(config.num_key_value_heads) };
    const weights = new Map<string, WeightValues>();
    for (const tensor of tensors) {
      const name = huggingFaceName(tensor.name);
      if (name === undefined) continue;
      const values = await readTensor(file, tensor, start, path);
      const paired = /\.attn_([qk])\./.exec(tensor.name)?.[1] as keyof typeof heads | undefined;
      weights.set(name, paired ? unpaired(values, heads[paired], tensor.name, path) : values);
    }
    return { model: languageModel(config, weights), tokenizer, config, extra: new Map() };
  } finally {
    await file.close();
  }
}

async function readHeader(
  path: string,
): Promise<{ readonly metadata: GgufMetadata; readonly tensors: readonly TensorPlace[]; readonly start: number }> {
  const { gguf } = await import('@huggingface/gguf');
  try {
    const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });
    return { metadata: { ...metadata }, tensors: tensorInfos, start: Number(tensorDataOffset) };
  } catch (cause) {
    throw new CorruptFileError(`${path} is no GGUF file that can be read: ${(cause as Error).message}`, { cause });
  }
}

function huggingFaceName(name: string): string | undefined {
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined) return otherNames[name];
  const known = layerNames[part!];
  return known === undefined ? undefined : `model.layers.${layer}.${known}.${kind}`;
}

async function readTensor(
  file: FileHandle,
  { name, shape, dtype, offset }: TensorPlace,
  start: number,
  path: string,
): Promise<WeightValues> {
  const sizes = shape.map(Number).reverse();
  const count = sizes.reduce((product, size) => product * size, 1);
  const bytes = storedBytes(dtype, count, name);
  const from = start + Number(offset);
  const { size } = await file.stat();
  if (!(Number.isSafeInteger(count) && count > 0 && from + bytes <= size)) {
    throw new CorruptFileError(`${path} ends before the ${bytes} bytes of '${name}' at ${from}: it holds ${size}`);
  }
  const buffer = new Uint8Array(bytes);
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, from + done);
    if (bytesRead === 0) throw new CorruptFileError(`${path} became shorter while it was read`);
    done += bytesRead;
  }
  return { shape: sizes, data: dequantize(dtype, buffer, count) };
}

/**
 * GGUF has the two rows that rotary positions turn together side by side, 2i and 2i + 1; Hugging Face has them half a head apart, i and
 * i + headSize / 2.
 * @throws CorruptFileError when the rows are no whole number of pairs a head.
 */
function unpaired({ shape, data }: WeightValues, heads: number, name: string, path: string): WeightValues {
  const cols = shape[1] ?? 1;
  const headSize = shape[0]! / heads;
  if (!Number.isInteger(heads) || headSize % 2 !== 0) {
    throw new CorruptFileError(
      `${path} has ${shape[0]} rows in '${name}' for ${heads} heads, which take an even number each`,
    );
  }
  const out = new Float32Array(data.length);
  for (let row = 0; row < shape[0]!; row++) {
    const within = row % headSize;
    const target = row - within + (within >> 1) + (within & 1) * (headSize / 2);
    out.set(data.subarray(row * cols, (row + 1) * cols), target * cols);
  }
  return { shape, data: out };
}
