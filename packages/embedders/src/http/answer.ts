import type { Matrix } from '@rarefy/core';

/** What is wrong with an answer: the end of a sentence that begins with "the answer". */
export class BadAnswer extends Error {
  /** @param isForeign whether the answer is in another format, so that its beginning says more than this message */
  constructor(
    message: string,
    readonly isForeign = false,
  ) {
    super(message);
  }
}

/**
 * Reads the body as text, at most `limit` bytes after decompression, because a small compressed answer can unpack to any size.
 * @throws BadAnswer if the body is larger or is not valid UTF-8.
 */
export async function readLimited(response: Response, limit: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  let text = '';
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + orBadAnswer('is not UTF-8', () => decoder.decode());
      size += value.byteLength;
      if (size > limit) throw new BadAnswer(`is larger than ${limit} bytes`);
      text += orBadAnswer('is not UTF-8', () => decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // frees the connection; has no effect after the last byte
  }
}

/**
 * Parses an answer in OpenAI's format, `{ data: [{ index, embedding }] }`. The entries may have any order.
 * @param count number of texts in the request
 * @param dimensions expected number of columns; undefined accepts that of the first entry
 * @returns count x dimensions, row i for text i
 * @throws BadAnswer if the number of entries is wrong, an index is missing or repeated, or a row has the wrong length or a value
 * that is not a finite float32.
 */
export function parseAnswer(text: string, count: number, dimensions: number | undefined): Matrix {
  const data = entriesOf(text);
  if (data.length !== count) throw new BadAnswer(`has ${data.length} embeddings for ${count} texts`);
  const first: unknown = data[0]?.embedding;
  const cols = dimensions ?? (Array.isArray(first) ? first.length : 0);
  if (cols === 0) throw new BadAnswer('has no numbers in its first embedding');
  const rows = new Float32Array(count * cols);
  const seen = new Uint8Array(count);
  for (const { index, embedding } of data) {
    const row = index as number;
    if (!(Number.isInteger(row) && row >= 0 && row < count && seen[row] === 0)) {
      throw new BadAnswer(`has the index ${JSON.stringify(index)}; expected each of 0 to ${count - 1} once`);
    }
    seen[row] = 1;
    if (!Array.isArray(embedding) || embedding.length !== cols) {
      const size = Array.isArray(embedding) ? embedding.length : 'no';
      throw new BadAnswer(`has ${size} numbers in embedding ${row}; expected ${cols}`);
    }
    for (let column = 0; column < cols; column++) {
      const value: unknown = embedding[column];
      if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) {
        throw new BadAnswer(`has ${JSON.stringify(value)} in embedding ${row}, column ${column}`);
      }
      rows[row * cols + column] = value;
    }
  }
  return { data: rows, rows: count, cols };
}

function entriesOf(text: string): { readonly index?: unknown; readonly embedding?: unknown }[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new BadAnswer('is not JSON', true);
  }
  const data = typeof answer === 'object' && answer !== null && 'data' in answer ? answer.data : undefined;
  if (!Array.isArray(data) || data.some((entry) => typeof entry !== 'object' || entry === null)) {
    throw new BadAnswer('has no list "data" of embeddings', true);
  }
  return data;
}

function orBadAnswer<Value>(problem: string, run: () => Value): Value {
  try {
    return run();
  } catch {
    throw new BadAnswer(problem);
  }
}
