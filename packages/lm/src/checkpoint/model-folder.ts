import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@rarefy/core';
import { fileExists, readSafetensors, toFloat32, writeAtomically, writeSafetensors } from '@rarefy/io';
import type { CausalLanguageModel } from '../families/causal-language-model.js';
import { languageModel, type WeightValues } from '../families/language-model.js';
import { rewardHeadName } from '../families/reward-model.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { loadTokenizer, saveTokenizer } from '../tokenizer/tokenizer-files.js';
import { loadGguf } from './gguf/load-gguf.js';

/** A language model with its tokenizer and config. */
export interface LoadedModel {
  readonly model: CausalLanguageModel;
  readonly tokenizer: Tokenizer;
  /** The parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Weights of the file that are not part of the language model, such as a reward head. */
  readonly extra: ReadonlyMap<string, WeightValues>;
}

/**
 * Loads a model on the current tfjs backend. Half-precision and quantized weights become float32.
 * @param folder a Hugging Face folder with `config.json`, `model.safetensors` (or shards with `model.safetensors.index.json`) and
 *   `tokenizer.json`; or the path of a GGUF file of the llama architecture, ending in `.gguf`
 * @throws InputError naming a file that is missing or not supported; CorruptFileError if a file is damaged.
 */
export async function loadLanguageModel(folder: string): Promise<LoadedModel> {
  if (folder.endsWith('.gguf')) return { ...(await loadGguf(folder)), extra: new Map() };
  const config = await readConfig(folder);
  const weights = await readWeights(folder);
  const tokenizer = await loadTokenizer(folder);
  const model = languageModel(config, weights);
  const extra = new Map([...weights].filter(([name]) => name === rewardHeadName));
  return { model, tokenizer, config, extra };
}

/** Writes a folder that {@link loadLanguageModel} and transformers read. Each file is written whole or not at all. */
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
      `cannot read ${path}: a model folder needs config.json, model.safetensors and tokenizer.json`,
      { cause },
    );
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new InputError(`${path} is not valid JSON: ${(cause as Error).message}`, { cause });
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
  if (!(await fileExists(index))) return ['model.safetensors'];
  const map = parseWeightMap(await readFile(index, 'utf8'));
  const files = [...new Set(Object.values(map ?? {}))];
  const bad = files.find((file) => typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file));
  if (files.length === 0 || bad !== undefined)
    throw new InputError(
      `${index} names no usable weight files${bad === undefined ? '' : ` (${JSON.stringify(bad)})`}`,
    );
  return files as string[];
}

/** The weight map of an index file; undefined if the text has none. */
function parseWeightMap(text: string): Record<string, unknown> | undefined {
  try {
    return (JSON.parse(text) as { weight_map?: Record<string, unknown> }).weight_map;
  } catch {
    return undefined;
  }
}
