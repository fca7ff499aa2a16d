import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@rarefy/core';
import { readSafetensors, toFloat32, writeAtomically, writeSafetensors } from '@rarefy/io';
import type { CausalLanguageModel } from '../causal-language-model.js';
import { languageModel, type WeightValues } from '../language-model.js';
import { loadTokenizer } from '../tokenizer/load-tokenizer.js';
import { saveTokenizer } from '../tokenizer/save-tokenizer.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { loadGguf } from './gguf/load-gguf.js';

/** A language model with what belongs to it. */
export interface LoadedModel {
  readonly model: CausalLanguageModel;
  readonly tokenizer: Tokenizer;
  /** The parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Weights of the file that the language model has no use for, such as a reward head. */
  readonly extra: ReadonlyMap<string, WeightValues>;
}

/**
 * Loads a Hugging Face folder: `config.json`, `model.safetensors` (or its shards with `model.safetensors.index.json`) and
 * `tokenizer.json`, on the current tfjs backend. Half-precision weights are widened to float32. A path that ends with `.gguf` is a
 * GGUF file of the llama architecture, with its tokenizer.
 * @throws InputError naming the file that is missing or unsupported; CorruptFileError for a damaged one.
 */
export async function loadLanguageModel(folder: string): Promise<LoadedModel> {
  if (folder.endsWith('.gguf')) return loadGguf(folder);
  const config = await readConfig(folder);
  const weights = await readWeights(folder);
  const tokenizer = await loadTokenizer(folder);
  const model = languageModel(config, weights);
  const extra = new Map([...weights].filter(([name]) => name === rewardHeadName));
  return { model, tokenizer, config, extra };
}

/** Name of a reward head in a weight file, as transformers' sequence classification models have it. */
export const rewardHeadName = 'score.weight';

/** Writes a folder that {@link loadLanguageModel} and transformers read; each file whole or not at all. */
export async function saveLanguageModel(
  folder: string,
  { model, tokenizer, config, extra = new Map() }: Omit<LoadedModel, 'extra'> & Partial<Pick<LoadedModel, 'extra'>>,
): Promise<void> {
  await writeAtomically(join(folder, 'config.json'), Buffer.from(`${JSON.stringify(config, null, 2)}\n`));
  await saveTokenizer(folder, tokenizer);
  const tensors: Record<string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array }> = {};
  for (const [name, variable] of Object.entries(model.parameters)) {
    tensors[name] = { dtype: 'F32', shape: variable.shape, data: (await variable.data()) as Float32Array };
  }
  for (const [name, values] of extra) tensors[name] = { dtype: 'F32', ...values };
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
}

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'config.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(
      `${path} cannot be read: a model folder needs config.json, model.safetensors and tokenizer.json`,
      { cause },
    );
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new InputError(`${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

async function readWeights(folder: string): Promise<Map<string, WeightValues>> {
  const weights = new Map<string, WeightValues>();
  for (const file of await weightFiles(folder)) {
    const { tensors } = await readSafetensors(join(folder, file));
    for (const [name, tensor] of tensors) weights.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  }
  return weights;
}

async function weightFiles(folder: string): Promise<readonly string[]> {
  const index = join(folder, 'model.safetensors.index.json');
  const exists = await access(index).then(
    () => true,
    () => false,
  );
  if (!exists) return ['model.safetensors'];
  const map = parseWeightMap(await readFile(index, 'utf8'));
  const files = [...new Set(Object.values(map ?? {}))];
  const bad = files.find((file) => typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file));
  if (files.length === 0 || bad !== undefined)
    throw new InputError(
      `${index} names no usable weight files${bad === undefined ? '' : ` (${JSON.stringify(bad)})`}`,
    );
  return files as string[];
}

/** Undefined for a text that holds none. */
function parseWeightMap(text: string): Record<string, unknown> | undefined {
  try {
    return (JSON.parse(text) as { weight_map?: Record<string, unknown> }).weight_map;
  } catch {
    return undefined;
  }
}
