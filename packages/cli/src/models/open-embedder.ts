import { type CallOptions, type Embedder, InvalidArgumentError, type TokenCountingEmbedder } from '@rarefy/core';
import type { ChatText } from '@rarefy/embedders/causal-lm';
import type { OptionValues } from '../shell/options.js';
import { modelFolder, openBackend, openModel } from '../training/open-model.js';
import { chooseEmbedder } from './choose-embedder.js';
import type { embedderOptions } from './embedder-options.js';
import { onnxRuntime } from './onnx-runtime.js';

export type EmbedderValues = OptionValues<typeof embedderOptions> & {
  /** Tokens at a time, padding included. */
  readonly batchTokens?: number | undefined;
};

export interface OpenedEmbedder {
  readonly embedder: Embedder<ChatText>;
  /** Of the embedders that read tokens. */
  readonly countTokens?: TokenCountingEmbedder<ChatText>['countTokens'];
  readonly batchSize: number;
  /** What a manifest notes of it. */
  readonly model: Readonly<Record<string, string>>;
}

/** Opens the embedder that the command line names or leaves open, and says which. The embedder is the caller's to dispose. */
export async function openEmbedder(values: EmbedderValues, options: CallOptions): Promise<OpenedEmbedder> {
  const opened = await openPlain(values, options);
  if (values.cache === undefined) return opened;
  const { cachedEmbedder } = await import('@rarefy/embedders/cached');
  return { ...opened, embedder: await cachedEmbedder(opened.embedder, { folder: values.cache }, options) };
}

async function openPlain(values: EmbedderValues, options: CallOptions): Promise<OpenedEmbedder> {
  const { ckpt, backend, pooling, modelDtype, batchTokens } = values;
  const { name, folder, reason } = await chooseEmbedder(values);
  if (pooling !== undefined && name !== 'causal-lm' && name !== 'onnx') {
    throw new InvalidArgumentError(`--pooling is of causal-lm and onnx; ${name} has none to choose.`);
  }
  if (pooling === 'cls' && name === 'causal-lm') {
    throw new InvalidArgumentError('--pooling cls is of onnx; the first token of a causal-lm has seen no other.');
  }
  if (batchTokens !== undefined && (name === 'hash' || name === 'http')) {
    throw new InvalidArgumentError(`--batch-tokens is of embedders that read tokens; ${name} reads none.`);
  }
  if (ckpt !== undefined && (name === 'use' || name === 'hash' || name === 'http')) {
    throw new InvalidArgumentError(`--ckpt is of causal-lm, logits and onnx; ${name} takes no model from it.`);
  }
  if (name !== 'http' && (values.url !== undefined || values.model !== undefined)) {
    throw new InvalidArgumentError(`--url and --model are of --embedder http; this is ${name}.`);
  }
  const tell = (what: string) => {
    const why = reason === undefined ? '' : ` (${reason})`;
    options.onEvent?.({ type: 'work-message', task: 'embedder', message: `${name}: ${what}${why}` });
  };
  const { batchSize = name === 'onnx' ? 256 : 32 } = values;
  const kind = pooling === 'last' ? 'lasttoken' : pooling;

  if (name === 'hash') {
    const { hashEmbedder } = await import('@rarefy/embedders/hash');
    tell('hashed words');
    return { embedder: ofPlainText(hashEmbedder()), batchSize, model: { embedder: name } };
  }
  if (name === 'http') {
    const { url, model } = values;
    if (url === undefined || model === undefined) {
      throw new InvalidArgumentError(
        '--embedder http needs --url and --model: the address of the service, and its model.',
      );
    }
    const { httpEmbedder } = await import('@rarefy/embedders/http');
    const apiKey = process.env.RAREFY_API_KEY;
    const embedder = await httpEmbedder({ url, model, ...(apiKey ? { apiKey } : {}) }, options);
    tell(`${model} of ${url}`);
    return {
      embedder: ofPlainText(embedder),
      batchSize: values.batchSize ?? embedder.capabilities.maxBatch,
      model: { embedder: name, url, model },
    };
  }
  if (name === 'onnx') {
    const { onnxEmbedder } = await import('@rarefy/embedders/onnx');
    const embedder = await onnxEmbedder(folder!, {
      dtype: modelDtype,
      lib: onnxRuntime,
      ...(kind ? { pooling: kind } : {}),
      ...(batchTokens === undefined ? {} : { batchTokens }),
    });
    tell(folder!);
    const { pulledModels } = await import('@rarefy/data');
    const pulled = (await pulledModels()).find((model) => model.folder === folder);
    const model = {
      ...{ embedder: name, path: folder!, pooling: embedder.pooling, dtype: modelDtype },
      ...(pulled ? { repository: pulled.repository, revision: pulled.commit } : {}),
    };
    return { ...withTokens(embedder), batchSize, model };
  }
  if (name === 'use') {
    const { name: backendName } = await openBackend(backend, options);
    const { universalSentenceEncoder } = await import('@rarefy/embedders/use');
    const embedder = await universalSentenceEncoder();
    tell('Universal Sentence Encoder lite');
    return { ...withTokens(embedder), batchSize, model: { embedder: name, backend: backendName } };
  }
  const path = await modelFolder(ckpt);
  const { name: backendName } = await openBackend(backend, options);
  const loaded = await openModel(path, options);
  const { hiddenStateEmbedder, logitsEmbedder } = await import('@rarefy/embedders/causal-lm');
  const budget = batchTokens === undefined ? {} : { batchTokens };
  const embedder =
    name === 'logits'
      ? await logitsEmbedder(loaded, { ...budget, ...options })
      : await hiddenStateEmbedder(loaded, {
          ...budget,
          ...(kind === 'lasttoken' || kind === 'max' ? { pooling: kind } : {}),
        });
  tell(path);
  const model = { embedder: name, path, pooling: kind ?? 'mean', backend: backendName };
  return { embedder, countTokens: embedder.countTokens, batchSize, model };
}

/** A sentence model gets the plain prompt, and the answer after a blank line. */
const plain = (text: ChatText) =>
  typeof text === 'string' ? text : [text.prompt, text.assistant].filter(Boolean).join('\n\n');

function ofPlainText(embedder: Embedder<string>): Embedder<ChatText> {
  const { specificationVersion, kind, fingerprint, capabilities } = embedder;
  return {
    ...{ specificationVersion, kind, fingerprint, capabilities },
    embedBatch: (texts, options) => embedder.embedBatch(texts.map(plain), options),
    [Symbol.asyncDispose]: () => embedder[Symbol.asyncDispose](),
  };
}

function withTokens(embedder: TokenCountingEmbedder<string>) {
  return {
    embedder: ofPlainText(embedder),
    countTokens: (texts: readonly ChatText[]) => embedder.countTokens(texts.map(plain)),
  };
}
