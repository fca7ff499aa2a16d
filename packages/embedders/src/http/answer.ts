import { BadAnswer, type Matrix } from '@rarefy/core';

/**
 * Parses an answer in OpenAI's format, `{ data: [{ index, embedding }] }`. The entries may have any order.
 * @param count number of texts in the request
 * @param dimensions expected number of columns; undefined accepts that of the first entry
 * @returns count x dimensions, row i for text i
 * @throws BadAnswer if the number of entries is wrong, an index is missing or repeated, or a row has the wrong length or a value
 * that is not a finite float32.
 */
export function parseAnswer(answer: unknown, count: number, dimensions: number | undefined): Matrix {
  const data = entriesOf(answer);
  if (data.length !== count) throw wrong(`has ${data.length} embeddings for ${count} texts`);
  const first: unknown = data[0]?.embedding;
  const cols = dimensions ?? (Array.isArray(first) ? first.length : 0);
  if (cols === 0) throw wrong('has no numbers in its first embedding');
  const rows = new Float32Array(count * cols);
  const seen = new Uint8Array(count);
  for (const { index, embedding } of data) {
    const row = index as number;
    if (!(Number.isInteger(row) && row >= 0 && row < count && seen[row] === 0)) {
      throw wrong(`has the index ${JSON.stringify(index)}; expected each of 0 to ${count - 1} once`);
    }
    seen[row] = 1;
    if (!Array.isArray(embedding) || embedding.length !== cols) {
      const size = Array.isArray(embedding) ? embedding.length : 'no';
      throw wrong(`has ${size} numbers in embedding ${row}; expected ${cols}`);
    }
    for (let column = 0; column < cols; column++) {
      const value: unknown = embedding[column];
      if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) {
        throw wrong(`has ${JSON.stringify(value)} in embedding ${row}, column ${column}`);
      }
      rows[row * cols + column] = value;
    }
  }
  return { data: rows, rows: count, cols };
}

function entriesOf(answer: unknown): { readonly index?: unknown; readonly embedding?: unknown }[] {
  if (answer === undefined) throw new BadAnswer('is not JSON: it is empty');
  const data = typeof answer === 'object' && answer !== null && 'data' in answer ? answer.data : undefined;
  if (!Array.isArray(data) || data.some((entry) => typeof entry !== 'object' || entry === null)) {
    throw new BadAnswer('has no list "data" of embeddings');
  }
  return data;
}

/** An answer in the expected format, so that its beginning says nothing more. */
function wrong(message: string): BadAnswer {
  return new BadAnswer(message, false);
}
