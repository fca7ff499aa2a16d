import { join } from 'node:path';
import {
  fileExists,
  findModelFolder,
  modelFolderName,
  modelRepository,
  modelRoots,
  sentenceModulesName,
} from '@rarefy/io';

/** The sentence model that is used if it is found and no other one is given. */
export const defaultSentenceModel = 'all-MiniLM-L6-v2';

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
