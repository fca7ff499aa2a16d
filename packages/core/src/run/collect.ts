import { ShapeError } from '../errors.js';
import type { Matrix } from '../spec/matrix.js';

/** Puts the parts of a stream one below the other. An empty stream gives 0 x 0. @throws ShapeError when columns differ. */
export async function collect(stream: AsyncIterable<{ readonly embeddings: Matrix }>): Promise<Matrix> {
  const parts: Matrix[] = [];
  for await (const { embeddings } of stream) parts.push(embeddings);
  const cols = parts[0]?.cols ?? 0;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const data = new Float32Array(rows * cols);
  let offset = 0;
  for (const part of parts) {
    if (part.cols !== cols) throw new ShapeError(`a part has ${part.cols} columns where earlier ones have ${cols}`);
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { data, rows, cols };
}
