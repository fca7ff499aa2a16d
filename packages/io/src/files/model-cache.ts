import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileExists } from './paths.js';

/** Folder of downloads: `rarefy/models` or `rarefy/data` in XDG_CACHE_HOME, by default in `~/.cache`. */
export function cacheFolder(kind: 'models' | 'data'): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rarefy', kind);
}

/** File in the folder of a downloaded model that is written last and marks it as complete. */
export const modelManifestName = 'rarefy-model.json';
/** File that marks a folder as a sentence model; the last one to be downloaded. */
export const sentenceModulesName = 'modules.json';

const defaultOwner = 'sentence-transformers';

/** `owner/name` of a model; a name without an owner is one of sentence-transformers, such as `all-MiniLM-L6-v2`. */
export function modelRepository(name: string): string {
  return name.includes('/') ? name : `${defaultOwner}/${name}`;
}

/** Name of the folder of a model: `name` for a model of sentence-transformers, otherwise `owner--name`. */
export function modelFolderName(repository: string): string {
  const [owner, name] = repository.split('/') as [string, string];
  return owner === defaultOwner ? name : `${owner}--${name}`;
}

/** Folders that hold models, in the order in which they are searched: that of RAREFY_MODELS, if set, and the cache. */
export function modelRoots(): { readonly root: string; readonly source: string }[] {
  const { RAREFY_MODELS: models } = process.env;
  return [
    ...(models ? [{ root: models, source: 'RAREFY_MODELS' }] : []),
    { root: cacheFolder('models'), source: 'the model cache' },
  ];
}

/** Whether a text can be the name of a model, with or without its owner. A path that begins with `.`, `/` or `~` cannot. */
export function isModelName(text: string): boolean {
  return /^\w[\w.-]*(\/\w[\w.-]*)?$/.test(text);
}

/**
 * Finds a downloaded model in {@link modelRoots}: a complete one in a folder named by {@link modelFolderName} or `owner/name`.
 * @param name `owner/name`, or a name of sentence-transformers
 * @returns undefined if it is not there, or if `name` is not a model name
 */
export async function findModelFolder(
  name: string,
): Promise<{ readonly folder: string; readonly source: string } | undefined> {
  if (!isModelName(name)) return undefined;
  const repository = modelRepository(name);
  for (const { root, source } of modelRoots()) {
    for (const folder of [join(root, modelFolderName(repository)), join(root, repository)]) {
      for (const marker of [modelManifestName, sentenceModulesName]) {
        if (await fileExists(join(folder, marker))) return { folder, source };
      }
    }
  }
  return undefined;
}

/** Every folder that {@link findSentenceModel} searches. */
export function sentenceModelFolders(name: string): string[] {
  return modelRoots().map(({ root }) => join(root, modelFolderName(modelRepository(name))));
}

/** The folder of a sentence-transformers model with that name, and where it was found. */
export async function findSentenceModel(
  name: string,
): Promise<{ readonly folder: string; readonly source: string } | undefined> {
  const found = await findModelFolder(name);
  return found && (await isSentenceModel(found.folder)) ? found : undefined;
}

/** Whether a folder holds a sentence-transformers model. */
export function isSentenceModel(folder: string): Promise<boolean> {
  return fileExists(join(folder, sentenceModulesName));
}
