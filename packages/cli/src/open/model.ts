import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CallOptions, InputError } from '@rarefy/core';
import { pulledModelFolder } from '@rarefy/data';
import { fileExists } from '@rarefy/io';
import { type LoadedModel, loadLanguageModel } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import { latestCheckpoint } from '@rarefy/training';
import { didYouMean } from '../shell/did-you-mean.js';

/** Stages of training, each with a folder of its own below `out`. */
const stages = ['base', 'sft', 'rm', 'grpo'];

/** A loaded model and the folder it comes from. */
export interface OpenModel extends LoadedModel {
  readonly folder: string;
}

/**
 * Loads a model folder and reports which one.
 * @param chatTemplate file of a chat template to use and save in place of the model's
 * @throws InputError if the chat template cannot be read or used.
 */
export async function openModel(folder: string, { onEvent }: CallOptions, chatTemplate?: string): Promise<OpenModel> {
  const found = await loadLanguageModel(folder);
  const loaded = chatTemplate === undefined ? found : await withChatTemplate(found, chatTemplate);
  const { family, hiddenSize, vocabularySize } = loaded.model.description;
  const message = `${folder}: ${family}, hidden size ${hiddenSize}, vocabulary ${vocabularySize}`;
  onEvent?.({ type: 'work-message', task: 'model', message });
  return { ...loaded, folder };
}

async function withChatTemplate(loaded: LoadedModel, file: string): Promise<LoadedModel> {
  const template = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new InputError(`cannot read the chat template ${file}: ${cause.message}`, { cause });
  });
  const tokenizer = { ...loaded.tokenizer, chat: { ...loaded.tokenizer.chat, template } };
  chatFormat(tokenizer); // fails before any work if the template is not valid
  return { ...loaded, tokenizer };
}

/** The folder of the given model, or else of the latest trained stage: out/sft, out/base, or the model that comes with rarefy. */
export async function modelFolder(given: string | undefined): Promise<string> {
  if (given !== undefined) return checkpointFolder(given);
  for (const stage of ['sft', 'base']) {
    const folder = await checkpointFolder(stage).catch(() => undefined);
    if (folder !== undefined) return folder;
  }
  return shippedPath('models/tiny');
}

/**
 * The model folder that a name on the command line stands for: the folder of a stage, or a path; in an unfinished run, its newest
 * checkpoint; a GGUF file; or the name of a downloaded model.
 * @throws InputError if there is no such model.
 */
export async function checkpointFolder(checkpoint: string): Promise<string> {
  if (checkpoint.endsWith('.gguf') && (await fileExists(checkpoint))) return checkpoint;
  const folder = stages.includes(checkpoint) ? join('out', checkpoint) : checkpoint;
  for (const config of ['config.json', 'adapter_config.json']) {
    if (await fileExists(join(folder, config))) return folder;
  }
  const latest = await latestCheckpoint(join(folder, 'checkpoints'));
  if (latest !== undefined) return latest;
  const pulled = await pulledModelFolder(checkpoint);
  if (pulled !== undefined) return pulled;
  const fix = stages.includes(checkpoint)
    ? `train it with: rarefy train ${checkpoint}; or give a folder`
    : 'give a folder';
  throw new InputError(
    `there is no model in ${folder}; ${fix} with config.json, model.safetensors and tokenizer.json, or a .gguf file.${stages.includes(checkpoint) ? '' : didYouMean(checkpoint, stages)}`,
  );
}

/**
 * The path of a sample file: in the package if it was installed from a registry, in `examples` if it runs in the repository.
 * @throws InputError if it is in neither.
 */
export async function shippedPath(name: 'data/pairs.jsonl' | 'models/tiny'): Promise<string> {
  for (const base of ['../examples/', '../../../examples/']) {
    const path = fileURLToPath(new URL(`${base}${name}`, import.meta.url));
    if (await fileExists(path)) return path;
  }
  throw new InputError(`this installation lacks the sample ${name}; reinstall rarefy`);
}
