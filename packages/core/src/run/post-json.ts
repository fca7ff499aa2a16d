import { checkInteger, shown } from '../checks.js';
import { InputError, InvalidArgumentError } from '../errors.js';
import type { CallOptions } from '../spec/component.js';
import { retryDelay, sleep } from './wait.js';

/** An HTTP service that answers JSON with JSON, and the limits of its use. */
export interface JsonService {
  /** Address, without user, password, query and fragment: see {@link serviceAddress}. */
  readonly url: string;
  /** Sent as `Authorization: Bearer …`. Never appears in an error or event. */
  readonly apiKey?: string | undefined;
  /** Attempts per request, including the first, an integer ≥ 1. */
  readonly maxAttempts: number;
  /** Time limit of one attempt, until the last byte of its answer, in ms. */
  readonly attemptTimeoutMs: number;
  /** Time limit of a request with all its attempts and waits, in ms. */
  readonly deadlineMs: number;
  /** What to check if the service refuses, for the message; default `address and key`. */
  readonly checks?: string;
}

/** One request. */
export interface JsonRequest<Answer> extends CallOptions {
  /** Unpaired surrogates in its texts become U+FFFD: they have no UTF-8 form, and many services reject JSON that escapes them. */
  readonly body: unknown;
  /** Most bytes of an answer, after decompression. */
  readonly maxBytes: number;
  /** Reads the parsed answer, undefined if empty. Throws {@link BadAnswer} if it is not valid; the request is then tried again. */
  readonly read: (answer: unknown) => Answer;
  /** What to do about an answer that is not valid, for the message. The request is then not tried again. */
  readonly advice?: string | undefined;
  /** Called for status 413, with the message so far. Returns what smaller requests gave, or throws. Default: an error. */
  readonly onTooLarge?: (problem: string) => Promise<Answer>;
  /** Name of the work in events. */
  readonly task: string;
}

/**
 * Checks the limits of a service.
 * @throws InvalidArgumentError if `maxAttempts` is not an integer ≥ 1, or a time is outside (0, 2^31) ms.
 */
export function checkServiceLimits({
  maxAttempts,
  attemptTimeoutMs,
  deadlineMs,
}: Pick<JsonService, 'maxAttempts' | 'attemptTimeoutMs' | 'deadlineMs'>): void {
  checkInteger('maxAttempts', maxAttempts, 1);
  for (const [name, value] of Object.entries({ attemptTimeoutMs, deadlineMs })) {
    // Node's timers hold 31 bits; a longer one fires at once.
    if (!(typeof value === 'number' && value > 0 && value < 2 ** 31))
      throw new InvalidArgumentError(`${name} must be in (0, 2^31) ms, got ${shown(value)}`);
  }
}

/** What is wrong with the answer of a service: the end of a sentence that begins with "the answer". */
export class BadAnswer extends Error {
  /** @param isShown whether the beginning of the answer says more than this message */
  constructor(
    message: string,
    readonly isShown = true,
  ) {
    super(message);
  }
}

/** Why an attempt failed. */
interface Failure {
  readonly message: string;
  /** What to do about a refusal that stays. Default: the attempt is repeated. */
  readonly fix?: string;
  readonly isTooLarge?: boolean;
  readonly retryAfter?: string | null;
}

/**
 * Posts JSON and returns the answer. Retries after a broken connection, a timeout, status 408, 429 or 5xx (but not 501 and 505),
 * and an answer that is not valid. It waits as long as `Retry-After` says, otherwise with exponential backoff and full jitter. Each
 * retry is a `work-message` event, or a warning on the console. Redirects are not followed, so that no other server gets the key
 * and the texts.
 * @throws InputError if the service refuses permanently, or still fails after the last attempt or the deadline; the signal's
 *   reason.
 */
export async function postJson<Answer>(service: JsonService, request: JsonRequest<Answer>): Promise<Answer> {
  const { url, apiKey, maxAttempts, attemptTimeoutMs, deadlineMs } = service;
  const { signal, onEvent, task } = request;
  const deadline = performance.now() + deadlineMs;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const timeoutMs = Math.max(0, Math.min(attemptTimeoutMs, deadline - performance.now()));
    const outcome = await postOnce(service, request, timeoutMs);
    if ('answer' in outcome) return outcome.answer;
    const problem = redacted(`${url} ${outcome.message}`, apiKey);
    if (outcome.isTooLarge && request.onTooLarge) return request.onTooLarge(problem);
    if (outcome.fix !== undefined) throw new InputError(`${problem}; ${outcome.fix}`);
    const wait = retryDelay(attempt, outcome.retryAfter ?? null, Math.random(), Date.now());
    const attempts = `${attempt} ${attempt === 1 ? 'attempt' : 'attempts'}`;
    if (attempt === maxAttempts) throw new InputError(`${problem}; gave up after ${attempts}`);
    if (performance.now() + wait >= deadline) {
      const seconds = (wait / 1000).toFixed(1);
      throw new InputError(
        `${problem}; gave up after ${attempts}: the next one, in ${seconds} s, would be after the deadline of ${Number((deadlineMs / 1000).toPrecision(3))} s`,
      );
    }
    const message = `${problem}; trying again in ${Math.round(wait)} ms`;
    if (onEvent) onEvent({ type: 'work-message', task, message });
    else console.warn(`${task}: ${message}`);
    await sleep(wait, signal);
  }
}

/**
 * The address to post to.
 * @param path last part of the address, appended if missing
 * @throws InvalidArgumentError if the address or the key cannot be used, without repeating them.
 */
export function serviceAddress(text: unknown, apiKey: unknown, path?: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('url must be an http or https address, such as http://localhost:8080/v1');
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new InvalidArgumentError('url must have no user, password, query or fragment; give a key as apiKey');
  }
  if (apiKey !== undefined && (typeof apiKey !== 'string' || !/^[\x21-\x7e]+$/.test(apiKey))) {
    throw new InvalidArgumentError(
      'apiKey must be a text of printable ASCII characters without blanks; check it for a line break',
    );
  }
  if (path === undefined) return url.origin + url.pathname;
  const address = url.origin + url.pathname.replace(/\/+$/, '');
  return address.endsWith(`/${path}`) ? address : `${address}/${path}`;
}

async function postOnce<Answer>(
  service: JsonService,
  { body, maxBytes, read, signal, advice }: JsonRequest<Answer>,
  timeoutMs: number,
): Promise<{ readonly answer: Answer } | Failure> {
  const { url, apiKey } = service;
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  let text = '';
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        ...{ 'content-type': 'application/json', accept: 'application/json' },
      },
      body: JSON.stringify(body, (_, value) => (typeof value === 'string' ? wellFormed(value) : value)),
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    if (!response.ok) return await refusal(response, service);
    text = await readLimited(response, maxBytes);
    return { answer: read(text === '' ? undefined : parsed(text)) };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BadAnswer) {
      const seen = error.isShown ? beginning(text, apiKey) : '';
      const message = `answered, but the answer ${error.message}${seen === '' ? '' : `: ${seen}`}`;
      return { message, ...(advice !== undefined && { fix: advice }) };
    }
    if (timeout.aborted) return { message: `did not answer within ${Math.round(timeoutMs)} ms` };
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? (error as Error).message;
    return { message: `could not be reached or closed the connection (${why})` };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const hasNaN = /[[,:\s](NaN|-?Infinity)\b/.test(text);
    throw new BadAnswer(hasNaN ? 'is not JSON, which has no NaN and no Infinity' : 'is not JSON');
  }
}

async function refusal(response: Response, { url, apiKey, checks = 'address and key' }: JsonService): Promise<Failure> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    return {
      message: `answered ${status}, a redirect${newAddress(response, url, apiKey)}`,
      fix: 'redirects are not followed, to keep the key and the texts from other servers; set url to the new address if you trust it',
    };
  }
  const message = `answered ${status}${reasonOf(await readLimited(response, 2 ** 16).catch(() => ''), apiKey)}`;
  const isTemporary = status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
  if (isTemporary) return { message, retryAfter: response.headers.get('retry-after') };
  if (status === 413) return { message, isTooLarge: true, fix: 'send fewer or shorter texts per request' };
  return { message, fix: `check ${checks}` };
}

/** Where a redirect points, without the parts of an address that may be secret: user, password, query and fragment. */
function newAddress({ headers }: Response, from: string, apiKey: string | undefined): string {
  const location = headers.get('location');
  if (location === null) return ' without a new address';
  const text = redacted(location, apiKey);
  const url = URL.canParse(text, from) ? new URL(text, from) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return ' to an address that is not http or https';
  return ` to ${redacted(url.origin + url.pathname, apiKey).slice(0, 200)}`;
}

/** The service's own message if its answer is JSON, otherwise the beginning of the answer. */
function reasonOf(body: string, apiKey: string | undefined): string {
  let reason: unknown;
  try {
    const { error } = JSON.parse(body) as { error?: string | { message?: unknown } };
    reason = typeof error === 'object' ? error?.message : error;
  } catch {
    // a page, for example
  }
  const seen = beginning(typeof reason === 'string' ? reason : body, apiKey);
  return seen === '' ? '' : ` (${seen})`;
}

/**
 * Reads a body, at most `limit` bytes after decompression: a small compressed answer can unpack to any size.
 * @throws BadAnswer if it is larger, or not UTF-8.
 */
async function readLimited(response: Response, limit: number): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decoded = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw new BadAnswer('is not UTF-8');
    }
  };
  let text = '';
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoded();
      size += value.byteLength;
      if (size > limit) throw new BadAnswer(`is larger than ${limit} bytes`);
      text += decoded(value);
    }
  } finally {
    await reader.cancel().catch(() => {}); // frees the connection; has no effect after the last byte
  }
}

/** The beginning of what a service sent: in one line, without the key, at most 200 characters. */
function beginning(text: string, apiKey: string | undefined): string {
  return redacted(text, apiKey)
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

/** Replaces the key, because a service may repeat it in its answer, as it is or escaped. */
function redacted(text: string, key: string | undefined): string {
  const forms = key === undefined ? [] : [key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1)];
  return forms.reduce((rest, form) => rest.replaceAll(form, '[key]'), text);
}

function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
