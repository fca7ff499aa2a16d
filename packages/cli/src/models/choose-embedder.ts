import { access } from 'node:fs/promises';
import { InvalidArgumentError, MissingDependencyError } from '@rarefy/core';
import type { EmbedderName } from './embedder-options.js';
import { onnxRuntime } from './onnx-runtime.js';
import { defaultSentenceModel, findSentenceModel, isSentenceModel, sentenceModelPlaces } from './sentence-models.js';

/** Which embedder a command uses. */
export interface EmbedderChoice {
  readonly name: EmbedderName;
  /** Folder of the sentence model, of `onnx` alone. */
  readonly folder?: string;
  /** Why it was chosen, where nobody asked for it. */
  readonly reason?: string;
}

/**
 * The embedder that is named; else what `--ckpt` points at: a sentence model or a language model; else the sentence model that is
 * found, when onnxruntime-node is there to run it; else the Universal Sentence Encoder, which comes with the installation.
 * @throws InvalidArgumentError for onnx without a model.
 */
export async function chooseEmbedder({
  embedder,
  ckpt,
}: {
  readonly embedder: EmbedderName | undefined;
  readonly ckpt: string | undefined;
}): Promise<EmbedderChoice> {
  if (embedder !== undefined && embedder !== 'onnx') return { name: embedder };
  if (ckpt !== undefined) {
    const folder = await sentenceModelFolder(ckpt);
    if (folder === undefined && embedder === 'onnx') return { name: 'onnx', folder: ckpt }; // which tells what it lacks
    return folder === undefined ? { name: 'causal-lm' } : { name: 'onnx', folder };
  }
  const found = await findSentenceModel(defaultSentenceModel);
  if (embedder === 'onnx') {
    if (found) return { name: 'onnx', folder: found.folder, reason: `found in ${found.source}` };
    throw new InvalidArgumentError(
      `--embedder onnx needs a sentence model: name a folder with --ckpt, or get one with: rarefy models pull ${defaultSentenceModel}. Looked at ${sentenceModelPlaces(defaultSentenceModel).join(', ')}.`,
    );
  }
  if (!found) return { name: 'use', reason: 'no sentence model was found' };
  try {
    await onnxRuntime();
    return { name: 'onnx', folder: found.folder, reason: `found in ${found.source}` };
  } catch (error) {
    if (!MissingDependencyError.isInstance(error)) throw error;
    return { name: 'use', reason: `${found.folder} needs onnxruntime-node: ${error.message}` };
  }
}

/** A path, or the name of a model that was downloaded; undefined for anything else. */
async function sentenceModelFolder(ckpt: string): Promise<string | undefined> {
  if (await isSentenceModel(ckpt)) return ckpt;
  const isPath = await access(ckpt).then(
    () => true,
    () => false,
  );
  return isPath ? undefined : (await findSentenceModel(ckpt))?.folder;
}
