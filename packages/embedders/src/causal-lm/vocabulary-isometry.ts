import type { CallOptions } from '@rarefy/core';
import { gramMatrix, type HeadValues } from './gram-matrix.js';
import { pivotedCholesky } from './pivoted-cholesky.js';
import { addTileProduct, packPanels, tileSize } from './tile-product.js';

/** A map of hidden states that keeps inner products and distances of their logits. */
export interface VocabularyIsometry {
  /** Numbers a row: the hidden size, and one more when the head has a bias. */
  readonly dimensions: number;
  /** Rank of the head; columns from here on are zero. */
  readonly rank: number;
  /** Maps `count` rows of `hidden` numbers to rows of `dimensions`, in float64. A row does not depend on the others. */
  apply(states: Float32Array, count: number): Float64Array;
}

/**
 * The map z = Rh with RᵀR = WᵀW for an output head W: |W(a - b)| = |R(a - b)|, and inner products agree too. With a bias, h has a
 * 1 appended and W the bias. G = WᵀW and its factor are computed in float64 (see {@link gramMatrix}), and a head without full
 * rank, tied or padded, stays exact. Distances are right to 1e-5 of themselves, or to 5e-7 of the rows' length where that is more.
 * @throws the signal's reason on abort.
 */
export async function vocabularyIsometry(head: HeadValues, options: CallOptions = {}): Promise<VocabularyIsometry> {
  const { bias, vocabulary, hidden } = head;
  const dimensions = bias ? hidden + 1 : hidden;
  const gram = await gramMatrix(head, options);
  const { rank, rows, order } = await pivotedCholesky(gram, dimensions, 128 + vocabulary / 128, options);
  // In the order of elimination R is upper triangular: half of the products fall away.
  const factor = packPanels(rank, dimensions, (row, place) => rows[row * dimensions + order[place]!]!);
  return {
    dimensions,
    rank,
    apply(states, count) {
      const stride = Math.ceil(dimensions / tileSize) * tileSize;
      const paddedCount = Math.ceil(count / tileSize) * tileSize;
      const vectors = packPanels(count, dimensions, (row, place) => {
        const column = order[place]!;
        return column < hidden ? states[row * hidden + column]! : 1;
      });
      const padded = new Float64Array(paddedCount * stride);
      for (let row = 0; row < rank; row += tileSize) {
        const length = dimensions - row;
        for (let vector = 0; vector < count; vector += tileSize) {
          const p = vector * dimensions + row * tileSize;
          const q = row * dimensions + row * tileSize;
          addTileProduct(vectors, p, factor, q, length, padded, vector * stride + row, stride);
        }
      }
      if (stride === dimensions) return padded.subarray(0, count * dimensions);
      const out = new Float64Array(count * dimensions);
      for (let row = 0; row < count; row++) {
        out.set(padded.subarray(row * stride, row * stride + dimensions), row * dimensions);
      }
      return out;
    },
  };
}
