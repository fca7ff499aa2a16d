import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkItems,
  checkOptions,
  checkServiceLimits,
  type Embedder,
  InvalidArgumentError,
  serviceAddress,
  shown,
} from '@rarefy/core';
import { type EmbeddingService, requestRows } from './embedding-service.js';

/** `signal` and `onEvent` serve the request that the factory sends; `onEvent` also the retries of later calls that have none. */
export interface HttpEmbedderOptions extends CallOptions {
  /** Address of the API, such as `http://localhost:8080/v1`; `/embeddings` is appended if missing. Redirects are errors. */
  readonly url: string;
  /** Name of the model at the service. */
  readonly model: string;
  /** Sent as `Authorization: Bearer …`. Never appears in an error, event or fingerprint. */
  readonly apiKey?: string;
  /** Number of columns to request, if the model can shorten its rows. Default: the model's own, learned from one text. */
  readonly dimensions?: number;
  /** Divides each row by its length, in float64; default true. */
  readonly normalize?: boolean;
  /** Texts per request, an integer ≥ 1; default 64. Halved for a service that answers 413. */
  readonly maxBatch?: number;
  /** Attempts per request, including the first, an integer ≥ 1; default 10. */
  readonly maxAttempts?: number;
  /** Time limit of one attempt, until the last byte of its answer, in ms; default 60,000. */
  readonly attemptTimeoutMs?: number;
  /** Time limit of a request with all its attempts and waits, in ms; default 600,000. */
  readonly deadlineMs?: number;
}

const optionNames = [
  'url',
  'model',
  'apiKey',
  'dimensions',
  'normalize',
  'maxBatch',
  'maxAttempts',
  'attemptTimeoutMs',
  'deadlineMs',
  ...callOptionNames,
] satisfies (keyof HttpEmbedderOptions)[];

/**
 * Embeds with a service that implements OpenAI's `POST /v1/embeddings`: text-embeddings-inference, infinity, vLLM, Ollama, OpenAI.
 *
 * Retries after a broken connection, a timeout, status 408, 429 or 5xx (but not 501 and 505), and an answer that is not valid.
 * Each retry is a `work-message` event, or a warning on the console if there is no `onEvent`. It waits as long as `Retry-After`
 * says (seconds or a date), otherwise with exponential backoff and full jitter. An answer is valid if it has one row per text, each
 * index once, and the same number of finite columns in each row. The rows are sorted by index. Services reject an empty text, so it
 * is sent as a blank; half a surrogate pair is sent as U+FFFD.
 *
 * The factory sends one text to learn the number of columns. If that answer is not valid, it fails at once: the address is not that
 * of such a service. Services do not report which texts they cut, so `truncated` is never set.
 * @throws InvalidArgumentError if an option is unknown, missing or out of range; InputError if the service cannot be used.
 * `embedBatch` rejects with InvalidArgumentError for an item that is not a text.
 */
export async function httpEmbedder(options: HttpEmbedderOptions): Promise<Embedder<string>> {
  checkOptions(options, optionNames, 'httpEmbedder');
  if (typeof options?.model !== 'string' || options.model === '') {
    throw new InvalidArgumentError('httpEmbedder needs `model`, the name of the model at the service');
  }
  const { signal, onEvent } = options;
  const { model, dimensions: wanted, normalize = true, maxBatch = 64, maxAttempts = 10 } = options;
  const { attemptTimeoutMs = 60_000, deadlineMs = 600_000 } = options;
  checkInteger('maxBatch', maxBatch, 1);
  if (wanted !== undefined) checkInteger('dimensions', wanted, 1);
  checkServiceLimits({ maxAttempts, attemptTimeoutMs, deadlineMs });
  if (typeof normalize !== 'boolean') {
    throw new InvalidArgumentError(`normalize must be true or false, got ${shown(normalize)}`);
  }
  const service: EmbeddingService = {
    url: serviceAddress(options.url, options.apiKey, 'embeddings'),
    apiKey: options.apiKey,
    body: { model, encoding_format: 'float', ...(wanted === undefined ? {} : { dimensions: wanted }) },
    ...{ maxAttempts, attemptTimeoutMs, deadlineMs, checks: 'address, model and key' },
  };
  const { cols: dimensions } = await requestRows(service, ['dimensions'], wanted, { signal, onEvent, isFirst: true });

  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `http:url=${service.url},model=${model},dimensions=${dimensions},normalize=${normalize}`,
    capabilities: {
      dimensions,
      maxBatch,
      maxConcurrency: Number.POSITIVE_INFINITY,
      normalized: normalize,
      deterministic: false,
      batchTolerance: 1e-3, // for services that compute in half precision, where a row depends on the rest of its batch
    },
    async embedBatch(items, call = {}) {
      call.signal?.throwIfAborted();
      checkItems(items);
      if (items.length === 0) return { embeddings: { data: new Float32Array(0), rows: 0, cols: dimensions } };
      const texts = items.map((text) => (text === '' ? ' ' : text));
      const embeddings = await requestRows(service, texts, dimensions, {
        signal: call.signal,
        onEvent: call.onEvent ?? onEvent,
      });
      if (normalize) normalizeRows(embeddings.data, dimensions);
      return { embeddings };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** v / |v| for each row; a row of zeros is unchanged. */
function normalizeRows(data: Float32Array, dimensions: number): void {
  for (let start = 0; start < data.length; start += dimensions) {
    let squares = 0;
    for (let index = start; index < start + dimensions; index++) squares += data[index]! ** 2;
    if (squares === 0) continue;
    const length = Math.sqrt(squares);
    for (let index = start; index < start + dimensions; index++) data[index]! /= length;
  }
}
