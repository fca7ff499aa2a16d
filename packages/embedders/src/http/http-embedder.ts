import { type CallOptions, type Embedder, InvalidArgumentError } from '@rarefy/core';
import { askService, type Service } from './http/service.js';

export interface HttpEmbedderOptions {
  /** Address of the API, such as `http://localhost:8080/v1`; `/embeddings` is added unless it ends so. Redirects are not followed. */
  readonly url: string;
  /** Name of the model, as the service knows it. */
  readonly model: string;
  /** Sent as `Authorization: Bearer …`, and written nowhere else: in no error, event or fingerprint. */
  readonly apiKey?: string;
  /** Columns to ask the service for, where its model can shorten its rows. Default the model's own, learnt from one text. */
  readonly dimensions?: number;
  /** Divides each row by its length, in float64; default true. */
  readonly normalize?: boolean;
  /** Texts a request; an integer ≥ 1, default 64. A service that answers 413 is asked for halves. */
  readonly maxBatch?: number;
  /** Tries a request, the first one included; an integer ≥ 1, default 10. */
  readonly maxAttempts?: number;
  /** Longest a try may take, in ms, the last byte of its answer included; default 60,000. */
  readonly attemptTimeoutMs?: number;
  /** Longest a request may take with all its tries and waits, in ms; default 600,000. */
  readonly deadlineMs?: number;
}

/**
 * Embeds through a service that speaks OpenAI's `POST /v1/embeddings`: text-embeddings-inference, infinity, vLLM, Ollama, OpenAI.
 *
 * Broken connections, time-outs, 408, 429, 5xx and answers that are not right are tried again: after what `Retry-After` says, in seconds
 * or as a date, or else with exponential backoff and full jitter. An answer is right when it has one row a text, each index once, the
 * same number of finite columns; rows are put in order of their index. An empty text, which services refuse, goes as a blank, and half a
 * surrogate pair as U+FFFD.
 *
 * The factory sends one text to learn the columns. Services do not tell which texts they cut, so `truncated` is never given.
 * @throws InvalidArgumentError for options out of range; InputError when the service cannot be used.
 */
export async function httpEmbedder(
  options: HttpEmbedderOptions,
  callOptions: CallOptions = {},
): Promise<Embedder<string>> {
  const { model, dimensions: wanted, normalize = true, maxBatch = 64, maxAttempts = 10 } = options;
  const { attemptTimeoutMs = 60_000, deadlineMs = 600_000 } = options;
  const counts = { maxBatch, maxAttempts, ...(wanted === undefined ? {} : { dimensions: wanted }) };
  for (const [name, value] of Object.entries(counts)) {
    if (!(Number.isInteger(value) && value >= 1)) {
      throw new InvalidArgumentError(`${name} must be an integer ≥ 1, got ${value}`);
    }
  }
  for (const [name, value] of Object.entries({ attemptTimeoutMs, deadlineMs })) {
    // Node's timers hold 31 bits; a longer one fires at once.
    if (!(value > 0 && value < 2 ** 31))
      throw new InvalidArgumentError(`${name} must be in (0, 2^31) ms, got ${value}`);
  }
  const service: Service = {
    endpoint: endpointOf(options.url),
    headers: headersOf(options.apiKey),
    body: { model, encoding_format: 'float', ...(wanted === undefined ? {} : { dimensions: wanted }) },
    maxAttempts,
    attemptTimeoutMs,
    deadlineMs,
    redact: redactor(options.apiKey),
  };
  const { cols: dimensions } = await askService(service, ['dimensions'], wanted, callOptions);

  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `http:url=${service.endpoint},model=${model},dimensions=${dimensions},normalize=${normalize}`,
    capabilities: {
      dimensions,
      maxBatch,
      maxConcurrency: Number.POSITIVE_INFINITY,
      normalized: normalize,
      deterministic: false,
      batchTolerance: 1e-3, // of services that compute in half precision, whose rows depend on what runs beside them
    },
    async embedBatch(items, batchOptions = {}) {
      batchOptions.signal?.throwIfAborted();
      if (items.length === 0) return { embeddings: { data: new Float32Array(0), rows: 0, cols: dimensions } };
      const texts = items.map((text) => (text === '' ? ' ' : wellFormed(text)));
      const embeddings = await askService(service, texts, dimensions, batchOptions);
      if (normalize) normalizeRows(embeddings.data, dimensions);
      return { embeddings };
    },
    async [Symbol.asyncDispose]() {},
  };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('url must be an http or https address, such as http://localhost:8080/v1');
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new InvalidArgumentError('url must have no user, password, query or fragment; give a key as apiKey');
  }
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path.endsWith('/embeddings') ? path : `${path}/embeddings`}`;
}

function headersOf(key: string | undefined): Record<string, string> {
  if (key === undefined) return {};
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new InvalidArgumentError(
      'apiKey must be printable ASCII characters without blanks; look for a line break in it',
    );
  }
  return { authorization: `Bearer ${key}` };
}

/** A service may repeat the key in its answer, as it is or escaped. */
function redactor(key: string | undefined): (text: string) => string {
  const forms = key === undefined ? [] : [key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1)];
  return (text) => forms.reduce((rest, form) => rest.replaceAll(form, '[key]'), text);
}

/** Half a surrogate pair has no UTF-8, and JSON that escapes it is refused by many services. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** v / |v|; a zero row stays as it is. */
function normalizeRows(data: Float32Array, dimensions: number): void {
  for (let start = 0; start < data.length; start += dimensions) {
    let squares = 0;
    for (let at = start; at < start + dimensions; at++) squares += data[at]! ** 2;
    if (squares === 0) continue;
    const length = Math.sqrt(squares);
    for (let at = start; at < start + dimensions; at++) data[at]! /= length;
  }
}
