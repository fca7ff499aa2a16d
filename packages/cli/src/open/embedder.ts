import { type CallOptions, InvalidArgumentError, MissingDependencyError } from '@rarefy/core';
import { fileExists, findSentenceModel, isSentenceModel, sentenceModelFolders } from '@rarefy/io';
import { checkApplies } from '../shell/check-options.js';
import { type CodeFile, camelCase, isCodeFile, type OptionValues } from '../shell/options.js';
import {
  type EmbedderName,
  type EmbedderRequest,
  embedderModelOptions,
  type embedderOptions,
  embedders,
  type OpenedEmbedder,
  openEmbedderFile,
} from './embedders.js';
import { onnxRuntime } from './project-libraries.js';

/** The sentence model that is used if it is found and no other one is given. */
const defaultSentenceModel = 'all-MiniLM-L6-v2';

export type EmbedderValues = OptionValues<typeof embedderOptions> &
  Omit<EmbedderRequest, 'sentenceModel'> & { readonly batchSize?: number | undefined };

/** Opens the embedder that the options choose and reports which one it is. The caller disposes it. */
export async function openEmbedder(values: EmbedderValues, options: CallOptions): Promise<OpenedEmbedder> {
  const { name, sentenceModel, reason } = await chooseEmbedder(values);
  checkApplies(givenOf(values), 'embedder', embedders, [name]);
  const opened = isCodeFile(name)
    ? await openEmbedderFile(name)
    : await embedders[name].open({ ...values, sentenceModel }, options);
  const message = `${name}: ${opened.name}${reason === undefined ? '' : ` (${reason})`}`;
  options.onEvent?.({ type: 'work-message', task: 'embedder', message });
  const { cache, batchSize = opened.batchSize } = values;
  const model = { embedder: isCodeFile(name) ? 'file' : name, ...opened.model };
  if (cache === undefined) return { ...opened, batchSize, model };
  const { cachedEmbedder } = await import('@rarefy/embedders/cached');
  return {
    ...opened,
    batchSize,
    model,
    embedder: await cachedEmbedder(opened.embedder, { folder: cache, ...options }),
  };
}

/** Opens an embedder by its name, or the file of one; its options have their defaults. */
export function openNamedEmbedder(
  embedder: EmbedderName | CodeFile | undefined,
  backend: string | undefined,
  options: CallOptions,
): Promise<OpenedEmbedder> {
  const none = { ckpt: undefined, pooling: undefined, modelDtype: undefined, url: undefined, urlModel: undefined };
  return openEmbedder({ ...none, cache: undefined, backend, embedder }, options);
}

/** The given options among those that apply only to some embedders. */
function givenOf(values: EmbedderValues): ReadonlySet<string> {
  const all = values as unknown as Readonly<Record<string, unknown>>;
  const names = [...Object.keys(embedderModelOptions), 'batch-tokens', 'chat-template'];
  return new Set(names.filter((name) => all[camelCase(name)] !== undefined));
}

interface EmbedderChoice {
  readonly name: EmbedderName | CodeFile;
  /** Folder of the sentence model, for onnx. */
  readonly sentenceModel?: string;
  /** Why it was chosen, if it was not requested. */
  readonly reason?: string;
}

/**
 * The requested embedder; else the one for the model at `ckpt`, a sentence model or a language model; else onnx, if the default
 * sentence model is found and onnxruntime-node can run it; else the Universal Sentence Encoder.
 * @throws InvalidArgumentError for onnx without a model.
 */
export async function chooseEmbedder({
  embedder,
  ckpt,
}: Pick<EmbedderValues, 'embedder' | 'ckpt'>): Promise<EmbedderChoice> {
  if (embedder !== undefined && embedder !== 'onnx') return { name: embedder };
  if (ckpt !== undefined) {
    const folder = await sentenceModelFolder(ckpt);
    if (folder === undefined && embedder === 'onnx') return { name: 'onnx', sentenceModel: ckpt }; // its error says what is missing
    return folder === undefined ? { name: 'causal-lm' } : { name: 'onnx', sentenceModel: folder };
  }
  const found = await findSentenceModel(defaultSentenceModel);
  if (embedder === 'onnx') {
    if (found) return { name: 'onnx', sentenceModel: found.folder, reason: `found in ${found.source}` };
    throw new InvalidArgumentError(
      `--embedder onnx needs a sentence model: give its folder with --ckpt, or get one with: rarefy models pull ${defaultSentenceModel}. Searched ${sentenceModelFolders(defaultSentenceModel).join(', ')}.`,
    );
  }
  if (!found) return { name: 'use', reason: 'no sentence model was found' };
  try {
    await onnxRuntime();
    return { name: 'onnx', sentenceModel: found.folder, reason: `found in ${found.source}` };
  } catch (error) {
    if (!MissingDependencyError.isInstance(error)) throw error;
    return { name: 'use', reason: `${found.folder} needs onnxruntime-node: ${error.message}` };
  }
}

/** The folder of a sentence model, given its path or the name of a downloaded one; undefined for anything else. */
async function sentenceModelFolder(ckpt: string): Promise<string | undefined> {
  if (await isSentenceModel(ckpt)) return ckpt;
  return (await fileExists(ckpt)) ? undefined : (await findSentenceModel(ckpt))?.folder;
}
