import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, InvalidArgumentError } from '@rarefy/core';
import { fileExists, readSafetensors, toFloat32, writeAtomically, writeSafetensors } from '@rarefy/io';
import type { CausalLanguageModel } from '../families/causal-language-model.js';
import { checkBuiltIn } from '../families/forward-defaults.js';
import type { WeightValues } from '../families/language-model.js';
import { rewardHeadName } from '../families/reward-model.js';
import { checkedUpdates, linearLayers, targeted, withAdapter } from './lora.js';

const configFile = 'adapter_config.json';
const weightsFile = 'adapter_model.safetensors';

/** PEFT wraps the model twice. */
const prefix = 'base_model.model.';

/** An adapter on its base. */
export interface LoadedLora {
  readonly model: CausalLanguageModel;
  /** The reward head, if the adapter was trained with one. */
  readonly extra: ReadonlyMap<string, WeightValues>;
}

/**
 * Reads an adapter that PEFT or `saveLanguageModel` wrote, to train it further or to use it beside its base. `loadLanguageModel`
 * reads the same folder as a plain model. Dropout is not applied.
 * @param base the model that the adapter was trained on, of a built-in family. The result owns and disposes it
 * @param folder with `adapter_config.json` and `adapter_model.safetensors`
 * @throws InputError if a file cannot be read, or the config has an option that would change the numbers and is not honored (DoRA,
 *   rsLoRA, trained biases, ranks that differ); ShapeError naming a matrix that does not fit the base; CorruptFileError if a file
 *   is damaged.
 */
export async function loadLora(base: CausalLanguageModel, folder: string): Promise<LoadedLora> {
  checkBuiltIn(base, 'loadLora');
  if (base.adapter) {
    throw new InvalidArgumentError('the base already has an adapter; give loadLora the model without it');
  }
  const { rank, alpha, targets: named, basePath } = await readAdapterConfig(folder);
  const weights = await readAdapterWeights(folder);
  const extra = new Map([...weights].filter(([name]) => name === rewardHeadName));
  const updates = checkedUpdates(base, rank, new Map([...weights].filter(([name]) => !extra.has(name))));
  const updated = linearLayers(base).filter(({ name }) =>
    Object.keys(updates).some((key) => key.startsWith(`${name}.`)),
  );
  const isComplete = named !== undefined && targeted(linearLayers(base), named).length === updated.length;
  const targets = isComplete ? named : updated.map(({ name }) => name); // PEFT may have left out layers
  const settings = { rank, alpha, targets, ...(basePath !== undefined && { basePath }) };
  return { model: withAdapter(base, settings, updates), extra };
}

/** Whether the folder has an adapter. As in transformers, it then goes before the weights of a whole model. */
export function hasAdapter(folder: string): Promise<boolean> {
  return fileExists(join(folder, configFile));
}

/** Removes the adapter of a folder that gets a whole model. */
export async function removeAdapter(folder: string): Promise<void> {
  for (const file of [configFile, weightsFile]) await rm(join(folder, file), { force: true });
}

/** Writes the adapter of a model as PEFT does. `extra` may hold a reward head. */
export async function saveAdapter(
  folder: string,
  { adapter, parameters, description }: CausalLanguageModel,
  extra: ReadonlyMap<string, WeightValues>,
): Promise<void> {
  const { rank, alpha, targets, basePath } = adapter!;
  const isReward = extra.has(rewardHeadName);
  const config = {
    peft_type: 'LORA',
    task_type: isReward ? 'SEQ_CLS' : 'CAUSAL_LM',
    base_model_name_or_path: basePath ?? null,
    revision: null,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    target_modules: targets,
    modules_to_save: isReward ? ['score'] : null,
    bias: 'none',
    fan_in_fan_out: description.family === 'gpt2',
    init_lora_weights: true,
    use_dora: false,
    use_rslora: false,
  };
  await writeAtomically(join(folder, configFile), Buffer.from(`${JSON.stringify(config, null, 2)}\n`));
  const tensors: Record<string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array }> = {};
  for (const [name, weight] of Object.entries(parameters)) {
    tensors[`${prefix}${name}`] = { dtype: 'F32', shape: weight.shape, data: (await weight.data()) as Float32Array };
  }
  for (const [name, values] of extra) tensors[`${prefix}${name}`] = { dtype: 'F32', ...values };
  await writeSafetensors(join(folder, weightsFile), tensors, { format: 'pt' });
}

/** The weights of an adapter, by the names of the parameters of its model, and `score.weight` if it has a reward head. */
export async function readAdapterWeights(folder: string): Promise<Map<string, WeightValues>> {
  const { tensors } = await readSafetensors(join(folder, weightsFile));
  const weights = new Map<string, WeightValues>();
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(prefix)) {
      throw new InputError(`${join(folder, weightsFile)} has the tensor '${name}'; names of PEFT begin with ${prefix}`);
    }
    weights.set(name.slice(prefix.length), { shape: tensor.shape, data: toFloat32(tensor) });
  }
  return weights;
}

interface AdapterConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Undefined for a regular expression. */
  readonly targets: readonly string[] | undefined;
  readonly basePath: string | undefined;
}

/** The values with which a field of PEFT has no effect on the numbers, besides null, false and empty. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  bias: ['none'],
  modules_to_save: [['score'], ['classifier', 'score']], // PEFT writes both for a reward model, which has only `score`
};

/** Fields that change what a saved adapter computes, and are honored only at their neutral values. */
const unhonored = [
  ...['alpha_pattern', 'alora_invocation_tokens', 'arrow_config', 'bias', 'kasa_config', 'layer_replication'],
  ...['lora_bias', 'modules_to_save', 'monteclora_config', 'rank_pattern', 'target_parameters'],
  ...['trainable_token_indices', 'use_bdlora', 'use_dora', 'use_qalora', 'use_rslora', 'velora_config'],
];

export async function readAdapterConfig(folder: string): Promise<AdapterConfig> {
  const path = join(folder, configFile);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`cannot read ${path}: an adapter needs ${configFile} and ${weightsFile}`, { cause });
  });
  let config: Readonly<Record<string, unknown>>;
  try {
    config = Object(JSON.parse(text));
  } catch (cause) {
    throw new InputError(`${path} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  if (config.peft_type !== 'LORA') {
    throw new InputError(`${path}: peft_type is ${JSON.stringify(config.peft_type)}; only LORA is supported`);
  }
  for (const name of unhonored) {
    const value = config[name];
    const isEmpty = !value || (typeof value === 'object' && Object.keys(value).length === 0);
    if (isEmpty || neutral[name]?.some((each) => JSON.stringify(each) === JSON.stringify(value))) continue;
    throw new InputError(
      `${path}: '${name}' is ${JSON.stringify(value)}, which is not honored; the numbers would be wrong. Merge the adapter with PEFT, and load the whole model`,
    );
  }
  const { r: rank, lora_alpha: alpha, target_modules: targets, base_model_name_or_path: basePath } = config;
  if (!(Number.isSafeInteger(rank) && (rank as number) >= 1 && Number.isFinite(alpha) && (alpha as number) >= 0)) {
    throw new InputError(
      `${path}: r is ${JSON.stringify(rank)} and lora_alpha ${JSON.stringify(alpha)}; expected an integer ≥ 1 and a number ≥ 0`,
    );
  }
  const isList = Array.isArray(targets) && targets.every((target) => typeof target === 'string');
  return {
    rank: rank as number,
    alpha: alpha as number,
    targets: isList ? targets : undefined,
    basePath: typeof basePath === 'string' ? basePath : undefined,
  };
}
