import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InputError, InvalidArgumentError, StateMismatchError, shown } from '@rarefy/core';
import { fileExists, readSafetensors, toFloat32, writeAtomically, writeSafetensors } from '@rarefy/io';
import { loadTokenizer, saveTokenizer, type Tokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLanguageModel } from '../families/causal-language-model.js';
import { checkLoaded, checkModel } from '../families/check-model.js';
import { languageModel, type WeightValues } from '../families/language-model.js';
import { classificationConfig, outputHeadName, rewardHeadName } from '../families/reward-model.js';
import { mergeLora } from '../lora/lora.js';
import {
  hasAdapter,
  loadLora,
  readAdapterConfig,
  readAdapterWeights,
  removeAdapter,
  saveAdapter,
} from '../lora/peft-files.js';
import { runFolderHint } from './checkpoint-folders.js';
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

/** What {@link saveLanguageModel} writes. */
export interface SavedModel {
  readonly model: CausalLanguageModel;
  readonly tokenizer: Tokenizer;
  /** The parsed config.json. Required for a built-in family; a model of your own gets its description if there is none. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further weights, such as a reward head. */
  readonly extra?: ReadonlyMap<string, WeightValues>;
}

/**
 * Loads a model on the current tfjs backend. Weights in float16, bfloat16 and the quantized types of GGUF become float32.
 * @param folder a Hugging Face folder with `config.json`, `model.safetensors` (or shards with `model.safetensors.index.json`) and
 *   `tokenizer.json`; a folder with an adapter of PEFT, which is merged into the model that its config names; or the path of a GGUF
 *   file of a llama, qwen2 or qwen3 model, ending in `.gguf`
 * @throws InputError naming a file, a weight or a field of `config.json` that is missing or not supported; CorruptFileError if a
 *   file is damaged; InvalidArgumentError if `folder` is not a path.
 */
export async function loadLanguageModel(folder: string): Promise<LoadedModel> {
  checkFolder(folder, 'loadLanguageModel');
  return loadFolder(folder, []);
}

/** @param adapters the folders of the adapters that have this model as their base */
async function loadFolder(folder: string, adapters: readonly string[]): Promise<LoadedModel> {
  if (folder.endsWith('.gguf')) return { ...(await loadGguf(folder)), extra: new Map() };
  if (await hasAdapter(folder)) return loadMerged(folder, adapters);
  const config = await readConfig(folder);
  const weights = await readWeights(folder);
  const tokenizer = await loadTokenizer(folder);
  const model = languageModel(config, weights);
  const extra = new Map([...weights].filter(([name]) => name === rewardHeadName));
  return { model, tokenizer, config, extra };
}

/** The model of a folder with an adapter: its base, with the adapter merged into it. */
async function loadMerged(folder: string, adapters: readonly string[]): Promise<LoadedModel> {
  const { basePath } = await readAdapterConfig(folder);
  const candidates = basePath === undefined ? [] : [basePath, join(folder, basePath)];
  let path: string | undefined;
  for (const candidate of candidates) if (path === undefined && (await holdsModel(candidate))) path = candidate;
  if (path === undefined) {
    throw new InputError(
      `${folder} has an adapter, and its base_model_name_or_path is ${basePath === undefined ? 'missing' : `'${basePath}', which is no model folder here`}; load the base and give it to loadLora(base, folder)`,
    );
  }
  if ([...adapters, folder].some((adapter) => resolve(adapter) === resolve(path))) {
    throw new InputError(`${folder} has an adapter whose base is the adapter itself; correct base_model_name_or_path`);
  }
  const base = await loadFolder(path, [...adapters, folder]);
  const { model, extra } = await loadLora(base.model, folder);
  const merged = mergeLora(model);
  model.dispose();
  const tokenizer = (await fileExists(join(folder, 'tokenizer.json'))) ? await loadTokenizer(folder) : base.tokenizer;
  return { ...base, model: merged, tokenizer, extra: extra.size > 0 ? extra : base.extra };
}

async function holdsModel(path: string): Promise<boolean> {
  return path.endsWith('.gguf')
    ? fileExists(path)
    : (await fileExists(join(path, 'config.json'))) || (await hasAdapter(path));
}

/** The weights that a folder of this model holds: all, or only those of its adapter. */
function savedWeights({ adapter, frozen, parameters }: CausalLanguageModel): CausalLanguageModel['parameters'] {
  return adapter ? parameters : { ...frozen, ...parameters };
}

/**
 * Writes a folder that {@link loadLanguageModel} and transformers read, or {@link loadWeights} for a model of your own. Weights are
 * saved in float32, and config.json says so, whatever their type was in the file that they come from. With a reward head among
 * `extra`, the folder is that of a sequence classification model with one label, without an untied output head. Each file is
 * written whole or not at all.
 *
 * Of a model with an adapter, only the adapter is written, in the layout of PEFT, and the tokenizer; an adapter goes before a whole
 * model that the folder already has, and is removed by one that is saved later.
 * @throws InvalidArgumentError if `folder` is not a path, the model or its tokenizer is missing, or a model of a built-in family
 *   has no `config`.
 */
export async function saveLanguageModel(folder: string, saved: SavedModel): Promise<void> {
  checkFolder(folder, 'saveLanguageModel');
  checkLoaded(saved, 'saveLanguageModel');
  const { model, tokenizer, extra = new Map() } = saved;
  if (model.adapter) {
    await saveAdapter(folder, model, extra);
    await saveTokenizer(folder, tokenizer);
    return;
  }
  const { config = ownConfig(model) } = saved;
  const isReward = extra.has(rewardHeadName);
  const written = isReward ? classificationConfig(config, tokenizer) : config;
  await writeAtomically(join(folder, 'config.json'), Buffer.from(configText(written)));
  await saveTokenizer(folder, tokenizer);
  const { [outputHeadName]: _, ...withoutHead } = savedWeights(model);
  const tensors = await tensorsOf(isReward ? withoutHead : savedWeights(model));
  for (const [name, values] of extra) tensors[name] = { dtype: 'F32', ...values };
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  await removeAdapter(folder);
}

/** The values of variables, for a safetensors file. */
export async function tensorsOf(variables: Readonly<Record<string, tf.Variable>>) {
  const tensors: Record<string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array }> = {};
  for (const [name, variable] of Object.entries(variables)) {
    tensors[name] = { dtype: 'F32', shape: variable.shape, data: (await variable.data()) as Float32Array };
  }
  return tensors;
}

function checkFolder(folder: string, where: string): void {
  if (typeof folder === 'string') return;
  throw new InvalidArgumentError(`${where} needs the path of a folder, got ${shown(folder)}`);
}

/** Fields that transformers accepts only as floating-point numbers: JavaScript would write 15.0 as 15. */
const floatFields = [
  ...['final_logit_softcapping', 'attn_logit_softcapping', 'initializer_range', 'layer_norm_epsilon', 'rms_norm_eps'],
  ...['rope_theta', 'factor', 'low_freq_factor', 'high_freq_factor', 'attention_factor', 'partial_rotary_factor'],
  ...['beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim'],
];

/** A config.json that transformers reads. It names the type of the saved weights, since transformers rounds them to that type. */
function configText(config: Readonly<Record<string, unknown>>): string {
  const types = ['dtype', 'torch_dtype'].filter((name) => name in config).map((name) => [name, 'float32']);
  const text = JSON.stringify({ ...config, ...Object.fromEntries(types) }, null, 2);
  return `${text.replace(new RegExp(`^( *"(?:${floatFields.join('|')})": -?\\d+)(?=,?$)`, 'gm'), '$1.0')}\n`;
}

function ownConfig({ description: { family, ...sizes } }: CausalLanguageModel): Readonly<Record<string, unknown>> {
  if (family === 'custom') return { model_type: family, ...sizes };
  throw new InvalidArgumentError(
    `a ${family} model needs its \`config\` to be saved; give the one that it was built from`,
  );
}

/**
 * Loads saved weights into the `parameters` and `frozen` weights of a model: a model of your own that was built with the same
 * shapes, or any other. A reward head in the folder is ignored.
 * @param folder with `model.safetensors`, or shards with `model.safetensors.index.json`: a saved model or a checkpoint
 * @throws InputError if the files cannot be read, or hold a weight that the model does not list; StateMismatchError naming a weight
 *   that is missing or has another shape. The model is then unchanged.
 */
export async function loadWeights(model: CausalLanguageModel, folder: string): Promise<void> {
  checkModel(model, 'loadWeights');
  checkFolder(folder, 'loadWeights');
  const listed = savedWeights(model);
  const unknown = [...(await readWeights(folder)).keys()].filter(
    (name) => name !== rewardHeadName && !Object.hasOwn(listed, name),
  );
  if (unknown.length > 0) {
    throw new InputError(
      `${folder} has weights that the model does not list: ${unknown.slice(0, 5).join(', ')}; list them as \`parameters\` or \`frozen\``,
    );
  }
  await assignWeights(folder, listed);
}

/** Assigns the weights of a folder to variables. @throws StateMismatchError naming one that is missing or has another shape. */
export async function assignWeights(folder: string, variables: Readonly<Record<string, tf.Variable>>): Promise<void> {
  assignValues(folder, await readWeights(folder), variables);
}

/** Assigns the tensors of one safetensors file to variables. Throws what {@link assignWeights} throws. */
export async function assignFile(path: string, variables: Readonly<Record<string, tf.Variable>>): Promise<void> {
  assignValues(path, await readTensors(path), variables);
}

function assignValues(
  source: string,
  weights: ReadonlyMap<string, WeightValues>,
  variables: Readonly<Record<string, tf.Variable>>,
): void {
  for (const [name, { shape }] of Object.entries(variables)) {
    const found = weights.get(name);
    if (found?.shape.join() === shape.join()) continue;
    throw new StateMismatchError(
      `the weights in ${source} have no '${name}' of shape ${shape.join(' x ')}${found ? `, but one of ${found.shape.join(' x ')}` : ''}`,
    );
  }
  for (const [name, variable] of Object.entries(variables)) {
    const { data, shape } = weights.get(name)!;
    const values = tf.tensor(data, [...shape]);
    variable.assign(values);
    values.dispose();
  }
}

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'config.json');
  const text = await readFile(path, 'utf8').catch(async (cause: unknown) => {
    throw new InputError(
      `cannot read ${path}: a model folder needs config.json, model.safetensors and tokenizer.json${await runFolderHint(folder)}`,
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
  if (await hasAdapter(folder)) return readAdapterWeights(folder);
  const weights = new Map<string, WeightValues>();
  for (const file of await weightFiles(folder)) {
    const path = join(folder, file);
    const hint = (await fileExists(path)) ? '' : await runFolderHint(folder);
    if (hint !== '') throw new InputError(`there is no ${path}${hint}`);
    for (const [name, values] of await readTensors(path)) weights.set(name, values);
  }
  return weights;
}

async function readTensors(path: string): Promise<Map<string, WeightValues>> {
  const { tensors } = await readSafetensors(path);
  return new Map(Array.from(tensors, ([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]));
}

async function weightFiles(folder: string): Promise<readonly string[]> {
  const index = join(folder, 'model.safetensors.index.json');
  if (!(await fileExists(index))) {
    const hasPickle = await fileExists(join(folder, 'pytorch_model.bin'));
    if (hasPickle && !(await fileExists(join(folder, 'model.safetensors')))) {
      throw new InputError(
        `${folder} has its weights in pytorch_model.bin, which is not read; save the model with transformers as safetensors`,
      );
    }
    return ['model.safetensors'];
  }
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
