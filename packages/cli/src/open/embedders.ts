import { type CallOptions, type Embedder, InvalidArgumentError, type TokenCountingEmbedder } from '@rarefy/core';
import type { ChatText } from '@rarefy/embedders';
import { checkExclusive } from '../shell/check-options.js';
import { choice, integer, text } from '../shell/define-option.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { backendOption, openBackend } from './backend.js';
import { chatTemplateOption } from './chat-options.js';
import type { OpenModel } from './model.js';
import { onnxRuntime } from './project-libraries.js';

/** Options that apply only to some embedders; `takes` in the table says which. */
export const embedderModelOptions = {
  ckpt: text(
    'base|sft|grpo|rm|path',
    'Language model of causal-lm and logits, or sentence-transformers folder of onnx; default out/sft, out/base, or the small model that comes with rarefy',
  ),
  pooling: choice(
    ['mean', 'last', 'max', 'cls'],
    'How the tokens of a text become one row; default mean for causal-lm, and the pooling of the model for onnx. cls applies only to onnx',
  ),
  url: text(
    'url',
    'Address of the http service, such as http://localhost:8080/v1; its key is read from RAREFY_API_KEY',
  ),
  'url-model': text('name', 'Model that the http service runs'),
  'model-dtype': choice(
    ['fp32', 'fp16', 'int8', 'uint8', 'q8', 'q4', 'q4f16', 'bnb4'],
    'Precision of the onnx model; default fp32',
  ),
} as const satisfies OptionDefinitions;

/** What an embedder is opened with. */
export interface EmbedderRequest extends OptionValues<typeof embedderModelOptions> {
  readonly backend: string | undefined;
  /** Tokens per batch, padding included. */
  readonly batchTokens?: number | undefined;
  /** File of the chat template of the model at `ckpt`. */
  readonly chatTemplate?: string | undefined;
  /** Folder of the sentence model, if one was found. */
  readonly sentenceModel?: string | undefined;
  /** Language model to use if `ckpt` is undefined. It stays open. */
  readonly languageModel?: OpenModel | undefined;
}

export interface OpenedEmbedder {
  readonly embedder: Embedder<ChatText>;
  /** Token counts of texts, if the embedder reads tokens. */
  readonly countTokens?: TokenCountingEmbedder<ChatText>['countTokens'] | undefined;
  /** Texts per batch. */
  readonly batchSize: number;
  /** What a manifest records about the embedder. */
  readonly model: Readonly<Record<string, string>>;
  /** The model, for messages. */
  readonly name: string;
}

interface EmbedderEntry {
  /** For `--help`. */
  readonly summary: string;
  /** Names of the options that apply to it. */
  readonly takes: readonly (keyof typeof embedderModelOptions | 'batch-tokens' | 'chat-template')[];
  open(request: EmbedderRequest, options: CallOptions): Promise<OpenedEmbedder>;
}

/** The embedders of `--embedder`. To add one, add an entry. */
export const embedders = {
  'causal-lm': {
    summary: 'mean hidden states of a language model',
    takes: ['ckpt', 'pooling', 'batch-tokens', 'chat-template'],
    async open(request, options) {
      const pooling = request.pooling === 'last' ? 'lasttoken' : request.pooling;
      if (pooling === 'cls') {
        throw new InvalidArgumentError(
          '--pooling cls applies only to onnx: the first token of a causal language model has seen no other token.',
        );
      }
      return openCausal(request, options, async (loaded, limits) => {
        const { hiddenStateEmbedder } = await import('@rarefy/embedders/causal-lm');
        return hiddenStateEmbedder(loaded, { ...limits, ...(pooling && { pooling }) });
      });
    },
  },
  logits: {
    summary: 'mean logits of a language model',
    takes: ['ckpt', 'batch-tokens', 'chat-template'],
    open: (request, options) =>
      openCausal(request, options, async (loaded, limits) => {
        const { logitsEmbedder } = await import('@rarefy/embedders/causal-lm');
        return logitsEmbedder(loaded, { ...limits, ...options });
      }),
  },
  onnx: {
    summary: 'sentence model',
    takes: ['ckpt', 'pooling', 'model-dtype', 'batch-tokens'],
    async open({ sentenceModel: folder, pooling, modelDtype = 'fp32', batchTokens }) {
      const { onnxEmbedder } = await import('@rarefy/embedders/onnx');
      const { pulledModels } = await import('@rarefy/data');
      const embedder = await onnxEmbedder(folder!, {
        dtype: modelDtype,
        lib: onnxRuntime,
        ...(pooling && { pooling: pooling === 'last' ? 'lasttoken' : pooling }),
        ...(batchTokens !== undefined && { batchTokens }),
      });
      const pulled = (await pulledModels()).find((model) => model.folder === folder);
      const model = {
        ...{ path: folder!, pooling: embedder.pooling, dtype: modelDtype },
        ...(pulled && { repository: pulled.repository, revision: pulled.commit }),
      };
      return { ...(await chats(embedder)), batchSize: 256, model, name: folder! };
    },
  },
  use: {
    summary: 'Universal Sentence Encoder, comes with rarefy',
    takes: ['batch-tokens'],
    async open({ backend }, options) {
      const { name } = await openBackend(backend, options);
      const { universalSentenceEncoder } = await import('@rarefy/embedders/use');
      const opened = await chats(await universalSentenceEncoder());
      return { ...opened, batchSize: 32, model: { backend: name }, name: 'Universal Sentence Encoder lite' };
    },
  },
  http: {
    summary: 'a service with an OpenAI-compatible API',
    takes: ['url', 'url-model'],
    async open({ url, urlModel: model }, options) {
      if (url === undefined || model === undefined) {
        throw new InvalidArgumentError(
          '--embedder http needs --url and --url-model: the address of the service, and its model.',
        );
      }
      const { httpEmbedder } = await import('@rarefy/embedders/http');
      const apiKey = process.env.RAREFY_API_KEY;
      const embedder = await httpEmbedder({ url, model, ...(apiKey ? { apiKey } : {}), ...options });
      const { maxBatch } = embedder.capabilities;
      return { ...(await chats(embedder)), batchSize: maxBatch, model: { url, model }, name: `${model} of ${url}` };
    },
  },
  hash: {
    summary: 'hashed words, no model',
    takes: [],
    async open() {
      const { hashEmbedder } = await import('@rarefy/embedders/hash');
      return { ...(await chats(hashEmbedder())), batchSize: 32, model: {}, name: 'hashed words' };
    },
  },
} as const satisfies Record<string, EmbedderEntry>;

export type EmbedderName = keyof typeof embedders;
export const embedderNames = Object.keys(embedders) as [EmbedderName];
/** One phrase per embedder, for `--help`. */
export const embedderSummaries = [
  ...embedderNames.map((name) => `${name}: ${embedders[name].summary}`),
  'a TypeScript or JavaScript file whose exported function returns an embedder of texts: the file is run, so use only code that you trust',
].join('; ');

/** How a command turns texts into rows. */
export const embedderOptions = under('Model', {
  embedder: choice(
    embedderNames,
    `${embedderSummaries}. Default: what --ckpt holds; without it onnx if all-MiniLM-L6-v2 is found, else use`,
    { orFile: true },
  ),
  ...embedderModelOptions,
  cache: text('folder', 'Folder that keeps the rows, so that no text is embedded twice'),
} as const satisfies OptionDefinitions);

/** @throws InvalidArgumentError if `--embeddings` is given together with an option of an embedder. */
export function checkEmbeddings(given: ReadonlySet<string>): void {
  const embedding = [...Object.keys(embedderOptions), 'chat-template'];
  checkExclusive(given, 'embeddings', embedding, 'the file already has the rows');
}

/** Options of the commands that only embed. */
export const embeddingOptions = under('Model', {
  ...embedderOptions,
  ...chatTemplateOption,
  'batch-size': integer('Texts per batch; default 32, for onnx 256, for http what the service takes', { min: 1 }),
  ...backendOption,
});

/**
 * Opens the embedder of plain texts that a file exports. Its function is called without arguments. The fingerprint is that of the
 * component.
 * @throws InputError if the file exports no such function or the function returns no embedder.
 */
export async function openEmbedderFile(file: string): Promise<OpenedEmbedder> {
  const { openEmbedderOf } = await import('./factory.js');
  const { embedder, digest } = await openEmbedderOf(file);
  return { ...(await chats(embedder)), batchSize: 32, model: { path: file, code: digest }, name: embedder.fingerprint };
}

/** Opens an embedder of a language model: of `ckpt`, which closes with the embedder, or of `request.languageModel`. */
async function openCausal(
  { ckpt, pooling = 'mean', backend, batchTokens, chatTemplate, languageModel }: EmbedderRequest,
  options: CallOptions,
  create: (model: OpenModel, limits: { readonly batchTokens?: number }) => Promise<TokenCountingEmbedder<ChatText>>,
): Promise<OpenedEmbedder> {
  const limits = batchTokens === undefined ? {} : { batchTokens };
  const opened = ({ folder }: OpenModel, embedder: TokenCountingEmbedder<ChatText>) => {
    const model = { path: folder, pooling };
    return { embedder, countTokens: embedder.countTokens, batchSize: 32, model, name: folder };
  };
  if (ckpt === undefined && languageModel) return opened(languageModel, await create(languageModel, limits));
  const { modelFolder, openModel } = await import('./model.js');
  const folder = await modelFolder(ckpt);
  const { name } = await openBackend(backend, options);
  const loaded = await openModel(folder, options, chatTemplate);
  const embedder = await create(loaded, limits);
  embedder[Symbol.asyncDispose] = async () => loaded.model.dispose();
  const { model, ...rest } = opened(loaded, embedder);
  return { ...rest, model: { ...model, backend: name } };
}

/** An embedder of texts, for prompts with answers. */
async function chats(texts: Embedder | TokenCountingEmbedder) {
  const { chatEmbedder } = await import('@rarefy/embedders');
  const embedder: Embedder<ChatText> & Partial<TokenCountingEmbedder<ChatText>> = chatEmbedder(texts);
  return { embedder, countTokens: embedder.countTokens };
}
