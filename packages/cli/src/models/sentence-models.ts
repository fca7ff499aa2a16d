import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, pulledModelFolder } from '@rarefy/data';

/** The sentence model that is taken when it is there and no other is named. */
export const defaultSentenceModel = 'all-MiniLM-L6-v2';

/** Where models lie, by the name that messages give it: the folder of RAREFY_MODELS, then the cache. */
function modelRoots(): { readonly root: string; readonly source: string }[] {
  const { RAREFY_MODELS: models } = process.env;
  return [
    ...(models ? [{ root: models, source: 'RAREFY_MODELS' }] : []),
    { root: cacheFolder('models'), source: 'the model cache' },
  ];
}

/** Every folder that {@link findSentenceModel} looks at. */
export function sentenceModelPlaces(name: string): string[] {
  return modelRoots().map(({ root }) => join(root, name));
}

/** The folder of a sentence-transformers model of that name, and where it was found. */
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

/** Whether a folder is one of sentence-transformers. */
export function isSentenceModel(folder: string): Promise<boolean> {
  return access(join(folder, 'modules.json')).then(
    () => true,
    () => false,
  );
}
