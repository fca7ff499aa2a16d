import { type CallOptions, InputError, type Matrix, retryDelay, sleep, type WorkEvent } from '@rarefy/core';
import { BadAnswer, parseAnswer, readLimited } from './answer.js';

/** Address and limits of a service. */
export interface Service {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Fields of every request besides the texts. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly maxAttempts: number;
  readonly attemptTimeoutMs: number;
  readonly deadlineMs: number;
  /** Removes secrets from a text. */
  readonly redact: (text: string) => string;
}

/** Why an attempt returned no rows. */
interface Failure {
  readonly message: string;
  readonly kind: 'temporary' | 'permanent' | 'too large';
  readonly retryAfter?: string | null;
}

interface RequestOptions extends CallOptions {
  /** Whether the service has not given a valid answer yet. An invalid one is then not retried: it comes from something else. */
  readonly isFirst?: boolean;
}

/** Enough for any JSON row: a float32 takes at most 16 characters, and a service may print doubles. */
const bytesPerValue = 40;
const bytesPerAnswer = 2 ** 16;
/** Limit for an answer with an unknown number of columns. */
const firstAnswerBytes = 2 ** 24;

/**
 * Requests the rows of texts. Retries after a broken connection, a timeout, status 408, 429 or 5xx (but not 501 and 505), and an
 * answer that is not valid unless it is the first; halves the texts on 413. Retries are events, or else warnings on the console.
 * @param dimensions expected number of columns; undefined accepts any
 * @returns one row per text, in order
 * @throws InputError if the service refuses permanently, or still fails after the last attempt or the deadline; the signal's
 * reason.
 */
export async function requestRows(
  service: Service,
  texts: readonly string[],
  dimensions: number | undefined,
  options: RequestOptions,
): Promise<Matrix> {
  return requestUntil(performance.now() + service.deadlineMs, service, texts, dimensions, options);
}

async function requestUntil(
  deadline: number,
  service: Service,
  texts: readonly string[],
  dimensions: number | undefined,
  options: RequestOptions,
): Promise<Matrix> {
  const { signal, onEvent = warn } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const left = deadline - performance.now();
    const timeoutMs = Math.min(service.attemptTimeoutMs, left);
    const outcome = await requestOnce(service, texts, dimensions, timeoutMs, options);
    if ('rows' in outcome) return outcome;
    if (outcome.kind === 'too large' && texts.length > 1) {
      const half = Math.ceil(texts.length / 2);
      const first = await requestUntil(deadline, service, texts.slice(0, half), dimensions, options);
      return joined(first, await requestUntil(deadline, service, texts.slice(half), first.cols, options));
    }
    const problem = service.redact(`${service.endpoint} ${outcome.message}`);
    if (outcome.kind !== 'temporary') throw new InputError(problem);
    const wait = retryDelay(attempt, outcome.retryAfter ?? null, Math.random(), Date.now());
    const attempts = `${attempt} ${attempt === 1 ? 'attempt' : 'attempts'}`;
    if (attempt === service.maxAttempts) throw new InputError(`${problem}; gave up after ${attempts}`);
    if (performance.now() + wait >= deadline) {
      const seconds = (wait / 1000).toFixed(1);
      throw new InputError(
        `${problem}; gave up after ${attempts}: the next one, in ${seconds} s, would be after the deadline of ${service.deadlineMs / 1000} s`,
      );
    }
    onEvent({ type: 'work-message', task: 'embed', message: `${problem}; trying again in ${Math.round(wait)} ms` });
    await sleep(wait, signal);
  }
}

function warn(event: WorkEvent): void {
  if (event.type === 'work-message') console.warn(event.message);
}

async function requestOnce(
  service: Service,
  texts: readonly string[],
  dimensions: number | undefined,
  timeoutMs: number,
  { signal, isFirst = false }: RequestOptions,
): Promise<Matrix | Failure> {
  const timeout = AbortSignal.timeout(Math.max(0, Math.ceil(timeoutMs)));
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  let body = '';
  try {
    const response = await fetch(service.endpoint, {
      method: 'POST',
      headers: { ...service.headers, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ ...service.body, input: texts }),
      redirect: 'manual', // sends the key and the texts to no other address
      signal: either,
    });
    if (!response.ok) return await refusal(response, texts, service);
    const limit =
      dimensions === undefined ? firstAnswerBytes : bytesPerAnswer + bytesPerValue * texts.length * dimensions;
    body = await readLimited(response, limit);
    return parseAnswer(body, texts.length, dimensions);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BadAnswer) {
      const seen = error.isForeign ? `: ${beginning(body, service.redact) || 'it is empty'}` : '';
      const message = `answered, but the answer ${error.message}${seen}`;
      if (!isFirst) return { kind: 'temporary', message };
      return {
        kind: 'permanent',
        message: `${message}; check that url is an API like OpenAI's, such as http://localhost:8080/v1`,
      };
    }
    if (timeout.aborted) return { kind: 'temporary', message: `did not answer within ${Math.round(timeoutMs)} ms` };
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? (error as Error).message;
    return { kind: 'temporary', message: `could not be reached or closed the connection (${why})` };
  }
}

async function refusal(
  response: Response,
  texts: readonly string[],
  { endpoint, redact }: Pick<Service, 'endpoint' | 'redact'>,
): Promise<Failure> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    return {
      kind: 'permanent',
      message: `answered ${status}, a redirect${newAddress(response, endpoint, redact)}; redirects are not followed, to keep the key and the texts from other servers; set url to the new address if you trust it`,
    };
  }
  const body = await readLimited(response, bytesPerAnswer).catch(() => '');
  const message = `answered ${status}${reasonOf(body, redact)}`;
  if (status === 413) {
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    return { kind: 'too large', message: `${message}: one text of ${characters} characters is too long; shorten it` };
  }
  if (status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)) {
    return { kind: 'temporary', message, retryAfter: response.headers.get('retry-after') };
  }
  return { kind: 'permanent', message: `${message}; check address, model and key` };
}

/** Where a redirect points, without the parts of an address that may be secret: user, password, query and fragment. */
function newAddress({ headers }: Response, endpoint: string, redact: Service['redact']): string {
  const location = headers.get('location');
  if (location === null) return ' without a new address';
  const url = URL.canParse(redact(location), endpoint) ? new URL(redact(location), endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return ' to an address that is not http or https';
  return ` to ${redact(url.origin + url.pathname).slice(0, 200)}`;
}

/** The service's own message if its answer is JSON, otherwise the beginning of the answer. */
function reasonOf(body: string, redact: Service['redact']): string {
  let reason: unknown;
  try {
    const { error } = JSON.parse(body) as { error?: string | { message?: unknown } };
    reason = typeof error === 'object' ? error?.message : error;
  } catch {
    // a page, for example
  }
  const shown = beginning(typeof reason === 'string' ? reason : body, redact);
  return shown === '' ? '' : ` (${shown})`;
}

/** The beginning of what a service sent: in one line, without secrets, at most 200 characters. */
function beginning(text: string, redact: Service['redact']): string {
  return redact(text)
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

function joined(first: Matrix, second: Matrix): Matrix {
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { data, rows: first.rows + second.rows, cols: first.cols };
}
