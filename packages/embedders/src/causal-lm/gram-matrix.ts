import { type CallOptions, timeSlices } from '@rarefy/core';
import { addTileProduct, packPanels, tileSize } from './tile-product.js';

/** Tokens summed at a time: their packed rows stay in a core's second-level cache. */
const blockTokens = 128;

/** Values of an output head: logits = W h + b. */
export interface HeadValues {
  /** W, row-major [vocabulary, hidden]. */
  readonly weight: Float32Array;
  /** b, [vocabulary]. */
  readonly bias?: Float32Array | undefined;
  readonly vocabulary: number;
  readonly hidden: number;
}

/**
 * G = AᵀA in float64 for A = W, or A = [W | b] when there is a bias: row-major, square, both halves. About 1/3 ns a product of
 * two numbers, and V n² / 2 of them: 5 s of one core for 50,304 x 768. Sums run in one fixed order. Tells progress in tokens.
 * @throws the signal's reason on abort.
 */
export async function gramMatrix(
  { weight, bias, vocabulary, hidden }: HeadValues,
  { signal, onEvent }: CallOptions = {},
): Promise<Float64Array> {
  const task = 'vocabulary-space';
  const started = performance.now();
  const slices = timeSlices(signal);
  const size = bias ? hidden + 1 : hidden;
  const padded = Math.ceil(size / tileSize) * tileSize;
  const sums = new Float64Array(padded * padded); // tiles on and below the diagonal
  const panels = new Float64Array(padded * blockTokens);
  onEvent?.({ type: 'work-start', task, total: vocabulary });
  for (let first = 0; first < vocabulary; first += blockTokens) {
    const depth = Math.min(blockTokens, vocabulary - first);
    const at = (column: number, token: number) =>
      column < hidden ? weight[(first + token) * hidden + column]! : bias![first + token]!;
    packPanels(size, depth, at, panels);
    for (let row = 0; row < padded; row += tileSize) {
      for (let column = 0; column <= row; column += tileSize) {
        addTileProduct(panels, row * depth, panels, column * depth, depth, sums, row * padded + column, padded);
      }
      if (slices.due()) await slices.pause();
    }
    onEvent?.({ type: 'work-progress', task, done: first + depth, total: vocabulary });
  }
  onEvent?.({ type: 'work-end', task, done: vocabulary, elapsedMs: performance.now() - started });
  const gram = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      gram[row * size + column] = sums[Math.max(row, column) * padded + Math.min(row, column)]!;
    }
  }
  return gram;
}
