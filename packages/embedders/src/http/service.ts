import { type CallOptions, InputError, type Matrix, retryDelay, sleep } from '@rarefy/core';
import { BadAnswer } from './bad-answer.js';
import { parseAnswer } from './parse-answer.js';
import { readLimited } from './read-limited.js';

/** Where and how to ask. */
export interface Service {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What a request holds beside its texts. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly maxAttempts: number;
  readonly attemptTimeoutMs: number;
  readonly deadlineMs: number;
  /** Takes out of a text what nobody may see. */
  readonly redact: (text: string) => string;
}

/** How one try ended without rows. */
interface Failure {
  readonly message: string;
  readonly kind: 'may pass' | 'final' | 'too large';
  readonly retryAfter?: string | null;
}

/** More than any row of JSON needs: a float32 takes at most 16 characters, and a service may print doubles. */
const bytesPerValue = 40;
const bytesPerAnswer = 2 ** 16;
/** For answers whose size is not known yet. */
const firstAnswerBytes = 2 ** 24;

/**
 * The texts' rows, asked for until they come: tries again after a broken connection, a time-out, 408, 429, any 5xx, and an answer that is
 * not right; halves the texts on 413.
 * @param dimensions as of `parseAnswer`
 * @throws InputError when the service refuses for good, or not at once but still after the last try or the deadline; the signal's reason.
 */
export async function askService(
  service: Service,
  texts: readonly string[],
  dimensions: number | undefined,
  options: CallOptions,
): Promise<Matrix> {
  return askUntil(performance.now() + service.deadlineMs, service, texts, dimensions, options);
}

async function askUntil(
  deadline: number,
  service: Service,
  texts: readonly string[],
  dimensions: number | undefined,
  options: CallOptions,
): Promise<Matrix> {
  const { signal, onEvent } = options;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const left = deadline - performance.now();
    const outcome = await tryOnce(service, texts, dimensions, Math.min(service.attemptTimeoutMs, left), signal);
    if ('rows' in outcome) return outcome;
    if (outcome.kind === 'too large' && texts.length > 1) {
      const half = Math.ceil(texts.length / 2);
      const first = await askUntil(deadline, service, texts.slice(0, half), dimensions, options);
      return joined(first, await askUntil(deadline, service, texts.slice(half), first.cols, options));
    }
    const problem = service.redact(`${service.endpoint} ${outcome.message}`);
    if (outcome.kind !== 'may pass') throw new InputError(problem);
    const wait = retryDelay(attempt, outcome.retryAfter ?? null, Math.random(), Date.now());
    const tries = `${attempt} ${attempt === 1 ? 'try' : 'tries'}`;
    if (attempt === service.maxAttempts) throw new InputError(`${problem}; gave up after ${tries}`);
    if (performance.now() + wait >= deadline) {
      const seconds = (wait / 1000).toFixed(1);
      throw new InputError(
        `${problem}; gave up after ${tries}: the next one, in ${seconds} s, would be after the deadline of ${service.deadlineMs / 1000} s`,
      );
    }
    onEvent?.({ type: 'work-message', task: 'embed', message: `${problem}; trying again in ${Math.round(wait)} ms` });
    await sleep(wait, signal);
  }
}

async function tryOnce(
  service: Service,
  texts: readonly string[],
  dimensions: number | undefined,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Matrix | Failure> {
  const timeout = AbortSignal.timeout(Math.max(0, Math.ceil(timeoutMs)));
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  try {
    const response = await fetch(service.endpoint, {
      method: 'POST',
      headers: { ...service.headers, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ ...service.body, input: texts }),
      redirect: 'manual', // the key and the texts go to the given address and to no other
      signal: either,
    });
    if (!response.ok) return await refusal(response, texts, service.redact);
    const limit =
      dimensions === undefined ? firstAnswerBytes : bytesPerAnswer + bytesPerValue * texts.length * dimensions;
    return parseAnswer(await readLimited(response, limit), texts.length, dimensions);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BadAnswer) return { kind: 'may pass', message: `answered, and the answer ${error.message}` };
    if (timeout.aborted) return { kind: 'may pass', message: `did not answer within ${Math.round(timeoutMs)} ms` };
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const why = cause?.code ?? cause?.message ?? (error as Error).message;
    return { kind: 'may pass', message: `could not be reached or broke off (${why})` };
  }
}

async function refusal(response: Response, texts: readonly string[], redact: Service['redact']): Promise<Failure> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    return {
      kind: 'may pass',
      message: `answered ${status}, a redirect, which is not followed; give the final address`,
    };
  }
  const said = await readLimited(response, bytesPerAnswer).catch(() => '');
  const message = `answered ${status}${reasonOf(said, redact)}`;
  if (status === 413) {
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    return { kind: 'too large', message: `${message}, and cannot take one text of ${characters} characters; cut it` };
  }
  if (status === 408 || status === 429 || status >= 500) {
    return { kind: 'may pass', message, retryAfter: response.headers.get('retry-after') };
  }
  return { kind: 'final', message: `${message}; check address, model and key` };
}

/** The service's own words, where it speaks JSON: without line breaks, and cut after what is secret was taken out. */
function reasonOf(body: string, redact: Service['redact']): string {
  try {
    const { error } = JSON.parse(body) as { error?: string | { message?: unknown } };
    const reason = typeof error === 'object' ? error?.message : error;
    return typeof reason === 'string' ? ` (${redact(reason).replace(/\s+/g, ' ').slice(0, 200)})` : '';
  } catch {
    return '';
  }
}

function joined(first: Matrix, second: Matrix): Matrix {
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { data, rows: first.rows + second.rows, cols: first.cols };
}
