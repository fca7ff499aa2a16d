import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptions, InputError } from '@rarefy/core';
import {
  cacheFolder,
  modelFolderName,
  modelManifestName,
  modelRepository,
  orFileError,
  sentenceModulesName,
  writeAtomically,
} from '@rarefy/io';
import { downloadFiles } from './download-files.js';
import { type HubOptions, hubOptionNames, openHub } from './hub.js';
import { type HubFile, listRepository } from './list-repository.js';

/** A downloaded model. */
export interface PulledModel {
  /** `owner/name`, such as `sentence-transformers/all-MiniLM-L6-v2`. */
  readonly repository: string;
  readonly commit: string;
  readonly license: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
  readonly folder: string;
}

export interface PullModelOptions extends HubOptions {
  /** Path of the ONNX file of a sentence model in its repository; default `onnx/model.onnx`. */
  readonly onnxFile?: string | undefined;
}

const optionNames = ['onnxFile', ...hubOptionNames] satisfies (keyof PullModelOptions)[];

/**
 * Downloads the files of a model that Rarefy needs into the cache: settings, tokenizer and one ONNX file of a sentence-transformers
 * model; config, tokenizer and safetensors of a language model. A second call continues the first, and downloads nothing if the
 * model is complete. `rarefy-model.json` is written last and marks the model as complete.
 * @param name `owner/name`, or a name of sentence-transformers such as `all-MiniLM-L6-v2`
 * @throws InputError if the hub does not have the model or the model lacks such files; otherwise as {@link downloadFiles}.
 */
export async function pullModel(name: string, options: PullModelOptions = {}): Promise<PulledModel> {
  checkOptions(options, optionNames, 'pullModel');
  const { signal } = options;
  const repository = { type: 'model', name: modelRepository(name) } as const;
  const hub = openHub(options);
  const { commit, license, files } = await listRepository(hub, repository, options.revision ?? 'main');
  const wanted = neededFiles(files, options.onnxFile ?? 'onnx/model.onnx', repository.name);
  const folder = join(cacheFolder('models'), modelFolderName(repository.name));
  const manifest = {
    repository: repository.name,
    commit,
    license,
    files: wanted.map(({ path, size }) => ({ path, size })),
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  if ((await readFile(join(folder, modelManifestName), 'utf8').catch(() => undefined)) !== text) {
    // The files there may be of another commit: the folder is not a model until all are of this one.
    for (const name of [modelManifestName, sentenceModulesName]) {
      const path = join(folder, name);
      await orFileError('write', path, rm(path, { force: true }));
    }
  }
  await downloadFiles(hub, repository, commit, wanted, folder, options);
  await writeAtomically(join(folder, modelManifestName), Buffer.from(text), { signal });
  return { ...manifest, folder };
}

/** The complete models in the cache, sorted by folder name. */
export async function pulledModels(): Promise<PulledModel[]> {
  const root = cacheFolder('models');
  const names = await readdir(root).catch(() => []);
  const models: PulledModel[] = [];
  for (const name of names.sort()) {
    const text = await readFile(join(root, name, modelManifestName), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const model = parseManifest(text);
    if (model) models.push({ ...model, folder: join(root, name) });
  }
  return models;
}

/** Undefined for a text that {@link pullModel} did not write. */
function parseManifest(text: string): Omit<PulledModel, 'folder'> | undefined {
  try {
    const { repository, commit, license, files } = JSON.parse(text) as Omit<PulledModel, 'folder'>;
    const areTexts = [repository, commit, license].every((value) => typeof value === 'string');
    const areFiles = files.every(({ path, size }) => typeof path === 'string' && typeof size === 'number');
    return areTexts && areFiles ? { repository, commit, license, files } : undefined;
  } catch {
    return undefined;
  }
}

/** Folder of a downloaded model, or undefined. @param name as in {@link pullModel} */
export async function pulledModelFolder(name: string): Promise<string | undefined> {
  const full = modelRepository(name);
  return (await pulledModels()).find(({ repository }) => repository === full)?.folder;
}

const settings =
  /^(modules|config|config_sentence_transformers|sentence_bert_config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$/;

const order = ({ path }: HubFile) => Number(path === sentenceModulesName);

function neededFiles(files: readonly HubFile[], onnxFile: string, name: string): readonly HubFile[] {
  const isSentenceModel = files.some(({ path }) => path === sentenceModulesName);
  const isWeight = isSentenceModel
    ? (path: string) => path === onnxFile || path.startsWith(`${onnxFile}_data`)
    : (path: string) => /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/.test(path);
  const isSetting = (path: string) => settings.test(path) || (isSentenceModel && /^\d+_\w+\/config\.json$/.test(path));
  const weights = files.filter(({ path }) => isWeight(path));
  if (weights.length === 0) {
    const seen = files.map(({ path }) => path).filter((path) => /\.(onnx|safetensors|gguf|bin)$/.test(path));
    const wanted = isSentenceModel ? onnxFile : 'model.safetensors';
    throw new InputError(`${name} has no ${wanted}; it has ${seen.slice(0, 10).join(', ') || 'no weights'}`);
  }
  const rest = files.filter(({ path }) => isSetting(path)).sort((a, b) => order(a) - order(b));
  return [...weights, ...rest];
}
