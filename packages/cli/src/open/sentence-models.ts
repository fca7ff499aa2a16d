import { join } from 'node:path';
import { cacheFolder, pulledModelFolder } from '@rarefy/data';
import { fileExists } from '@rarefy/io';

/** The sentence model that is used if it is found and no other one is given. */
export const defaultSentenceModel = 'all-MiniLM-L6-v2';

/** Folders of models and their names in messages: the folder of RAREFY_MODELS, then the cache. */
function modelRoots(): { readonly root: string; readonly source: string }[] {
  const { RAREFY_MODELS: models } = process.env;
  return [
    ...(models ? [{ root: models, source: 'RAREFY_MODELS' }] : []),
    { root: cacheFolder('models'), source: 'the model cache' },
  ];
}

/** Every folder that {@link findSentenceModel} searches. */
export function sentenceModelFolders(name: string): string[] {
  return modelRoots().map(({ root }) => join(root, name));
}

/** The folder of a sentence-transformers model with that name, and where it was found. */
export async function findSentenceModel(
  name: string,
): Promise<{ readonly folder: string; readonly source: string } | undefined> {
  for (const { root, source } of name.includes('/') ? [] : modelRoots()) {
    const folder = join(root, name);
    if (await isSentenceModel(folder)) return { folder, source };
  }
  const pulled = await pulledModelFolder(name);
  return pulled !== undefined && (await isSentenceModel(pulled))
    ? { folder: pulled, source: 'the model cache' }
    : undefined;
}

/** Whether a folder holds a sentence-transformers model. */
export function isSentenceModel(folder: string): Promise<boolean> {
  return fileExists(join(folder, 'modules.json'));
}
