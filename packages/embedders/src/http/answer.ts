import type { Matrix } from '@rarefy/core';
import { BadAnswer } from './bad-answer.js';

/**
 * The rows of an answer in OpenAI's format, `{ data: [{ index, embedding }] }`, in order of `index`, whichever order they came in.
 * @param dimensions columns that each row must have; undefined takes those of the first row
 * @throws BadAnswer for another count, an index that is missing or twice, another size, or a value that is not a finite number
 */
export function parseAnswer(text: string, count: number, dimensions: number | undefined): Matrix {
  const data = dataOf(text);
  if (data.length !== count) throw new BadAnswer(`has ${data.length} embeddings for ${count} texts`);
  const first: unknown = data[0]?.embedding;
  const cols = dimensions ?? (Array.isArray(first) ? first.length : 0);
  if (cols === 0) throw new BadAnswer('has no numbers in its first embedding');
  const rows = new Float32Array(count * cols);
  const seen = new Uint8Array(count);
  for (const { index, embedding } of data) {
    const row = index as number;
    if (!(Number.isInteger(row) && row >= 0 && row < count && seen[row] === 0)) {
      throw new BadAnswer(`has the index ${JSON.stringify(index)} where each of 0 to ${count - 1} is due once`);
    }
    seen[row] = 1;
    if (!Array.isArray(embedding) || embedding.length !== cols) {
      const size = Array.isArray(embedding) ? embedding.length : 'no';
      throw new BadAnswer(`has ${size} numbers in embedding ${row} where ${cols} are due`);
    }
    for (let col = 0; col < cols; col++) {
      const value: unknown = embedding[col];
      if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) {
        throw new BadAnswer(`has ${JSON.stringify(value)} in embedding ${row}, column ${col}`);
      }
      rows[row * cols + col] = value;
    }
  }
  return { data: rows, rows: count, cols };
}

function dataOf(text: string): { readonly index?: unknown; readonly embedding?: unknown }[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new BadAnswer('is not JSON');
  }
  const data = typeof answer === 'object' && answer !== null && 'data' in answer ? answer.data : undefined;
  if (!Array.isArray(data) || data.some((entry) => typeof entry !== 'object' || entry === null)) {
    throw new BadAnswer('has no list "data" of embeddings');
  }
  return data;
}
