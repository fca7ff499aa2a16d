import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';
import { fileExists } from '@rarefy/io';
import {
  chatSettingsFromGguf,
  type GgufMetadata,
  loadTokenizer,
  type Tokenizer,
  tokenizerFromJson,
  tokenizerJsonFromGguf,
} from '@rarefy/tokenizers';
import type { CausalLanguageModel } from '../../families/causal-language-model.js';
import { languageModel, type WeightValues } from '../../families/language-model.js';
import { dequantize, storedBytes } from './dequantize.js';
import { configFromMetadata } from './metadata.js';

/** A weight in the header of the file. `shape` has the rows last. */
interface TensorInfo {
  readonly name: string;
  readonly shape: readonly bigint[];
  readonly dtype: number;
  readonly offset: bigint;
}

/** Hugging Face names of the weights of a layer, by their GGUF names. */
const layerNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
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
/** Divisors of the rotary frequencies of Llama 3. */
const divisorsName = 'rope_freqs.weight';

/**
 * Loads a GGUF file of a llama, qwen2 or qwen3 model on the current tfjs backend. Quantized weights become float32. A
 * `tokenizer.json` in the same folder replaces the tokenizer of the file, and files beside it its chat template and stop tokens.
 * @throws InputError if the file is missing or its content is not supported; CorruptFileError if it is damaged.
 */
export async function loadGguf(path: string): Promise<{
  readonly model: CausalLanguageModel;
  readonly tokenizer: Tokenizer;
  /** As in a Hugging Face config.json. */
  readonly config: Readonly<Record<string, unknown>>;
}> {
  const file = await open(path).catch((cause: Error) => {
    throw new InputError(`${path} cannot be read: ${cause.message}`, { cause });
  });
  try {
    const { metadata, tensors, start } = await readHeader(path);
    if (Number(metadata['split.count'] ?? 1) > 1) {
      throw new InputError(
        `${path} is one of ${metadata['split.count']} parts; join them with llama-gguf-split --merge`,
      );
    }
    const embedding = tensors.find(({ name }) => name === 'token_embd.weight');
    if (embedding === undefined) throw new CorruptFileError(`${path} has no token_embd.weight`);
    const has = (name: string) => tensors.some((tensor) => tensor.name === name);
    const divisors = tensors.find(({ name }) => name === divisorsName);
    const facts = {
      vocabularySize: Number(embedding.shape[1]),
      isTied: !has('output.weight'),
      hasAttentionBias: has('blk.0.attn_q.bias'),
      frequencyDivisors: divisors && (await readTensor(file, divisors, start, path)).data,
    };
    const config = configFromMetadata(metadata, facts, path);
    const beside = join(dirname(path), 'tokenizer.json');
    const found = (await fileExists(beside))
      ? await loadTokenizer(beside)
      : tokenizerFromJson(tokenizerJsonFromGguf(metadata, path), {}, path);
    const tokenizer = { ...found, chat: chatSettingsFromGguf(metadata, found.chat) };
    const heads = { q: Number(config.num_attention_heads), k: Number(config.num_key_value_heads) };
    const weights = new Map<string, WeightValues>();
    for (const tensor of tensors) {
      if (tensor.name === divisorsName) continue;
      const name = huggingFaceName(tensor.name) ?? tensor.name; // languageModel refuses a name that it does not know
      const values = await readTensor(file, tensor, start, path);
      // Only the converter of llama reorders the rows.
      const isReordered = config.model_type === 'llama';
      const paired = (isReordered ? /\.attn_([qk])\./.exec(tensor.name)?.[1] : undefined) as
        | keyof typeof heads
        | undefined;
      weights.set(name, paired ? unpaired(values, heads[paired], tensor.name, path) : values);
    }
    return { model: languageModel(config, weights), tokenizer, config };
  } finally {
    await file.close();
  }
}

async function readHeader(
  path: string,
): Promise<{ readonly metadata: GgufMetadata; readonly tensors: readonly TensorInfo[]; readonly start: number }> {
  const { gguf } = await import('@huggingface/gguf');
  try {
    const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });
    return { metadata: { ...metadata }, tensors: tensorInfos, start: Number(tensorDataOffset) };
  } catch (cause) {
    throw new CorruptFileError(`${path} is not a valid GGUF file: ${(cause as Error).message}`, { cause });
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
  { name, shape, dtype, offset }: TensorInfo,
  start: number,
  path: string,
): Promise<WeightValues> {
  const sizes = shape.map(Number).reverse();
  const count = sizes.reduce((product, size) => product * size, 1);
  const bytes = storedBytes(dtype, count, name);
  const from = start + Number(offset);
  const { size } = await file.stat();
  if (!(Number.isSafeInteger(count) && count > 0 && from + bytes <= size)) {
    throw new CorruptFileError(
      `${path} has ${size} bytes, and '${name}' needs ${bytes} from byte ${from}; download it again`,
    );
  }
  const buffer = new Uint8Array(bytes);
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, from + done);
    if (bytesRead === 0) throw new CorruptFileError(`${path} was truncated while it was read`);
    done += bytesRead;
  }
  return { shape: sizes, data: dequantize(dtype, buffer, count) };
}

/**
 * Reorders rows. Rotary positions rotate pairs of rows: in GGUF rows 2i and 2i + 1 of a head, in Hugging Face rows i and
 * i + headSize / 2.
 * @throws CorruptFileError if the rows do not divide into heads of an even number of rows.
 */
function unpaired({ shape, data }: WeightValues, heads: number, name: string, path: string): WeightValues {
  const cols = shape[1] ?? 1;
  const headSize = shape[0]! / heads;
  if (!Number.isInteger(heads) || headSize % 2 !== 0) {
    throw new CorruptFileError(
      `${path} has ${shape[0]} rows in '${name}', which is not an even number per head for ${heads} heads`,
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
