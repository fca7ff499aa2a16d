import { type CallOptions, InputError, type JsonService, type Matrix, postJson } from '@rarefy/core';
import { parseAnswer } from './answer.js';

/** A service and the fields of every request to it besides the texts. */
export interface EmbeddingService extends JsonService {
  readonly body: Readonly<Record<string, unknown>>;
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
 * Requests the rows of texts, as `postJson` does; halves the texts on 413.
 * @param dimensions expected number of columns; undefined accepts any
 * @returns one row per text, in order
 * @throws InputError if the service refuses permanently, its first answer is not valid, or it still fails after the last attempt
 * or the deadline; the signal's reason.
 */
export async function requestRows(
  service: EmbeddingService,
  texts: readonly string[],
  dimensions: number | undefined,
  options: RequestOptions,
): Promise<Matrix> {
  const deadline = performance.now() + service.deadlineMs;
  const { signal, onEvent, isFirst = false } = options;
  return postJson(service, {
    ...{ signal, onEvent, task: 'embed', body: { ...service.body, input: texts } },
    maxBytes: dimensions === undefined ? firstAnswerBytes : bytesPerAnswer + bytesPerValue * texts.length * dimensions,
    advice: isFirst ? "check that url is an API like OpenAI's, such as http://localhost:8080/v1" : undefined,
    read: (answer) => parseAnswer(answer, texts.length, dimensions),
    async onTooLarge(problem) {
      if (texts.length === 1) {
        throw new InputError(`${problem}: one text of ${texts[0]!.length} characters is too long; shorten it`);
      }
      const half = Math.ceil(texts.length / 2);
      const inTime = () => ({ ...service, deadlineMs: Math.max(1, deadline - performance.now()) });
      const first = await requestRows(inTime(), texts.slice(0, half), dimensions, options);
      return joined(first, await requestRows(inTime(), texts.slice(half), first.cols, options));
    },
  });
}

function joined(first: Matrix, second: Matrix): Matrix {
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { data, rows: first.rows + second.rows, cols: first.cols };
}
