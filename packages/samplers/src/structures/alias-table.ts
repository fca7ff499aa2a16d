import { checkedWeight, checkSize, checkTotal, checkWeightList } from './checks.js';

/** Weights that never change: O(1) per draw, 12 bytes per position. */
export interface AliasTable {
  readonly size: number;
  /**
   * The position for `uniform`. Its frequency is proportional to its weight, to within 2^-53 of all draws; a position of weight 0
   * is never returned.
   * @param uniform in [0, 1); its 53 bits pick the cell and, with the bits that remain, one of the cell's two positions
   */
  find(uniform: number): number;
  /** The same for `positions.length` uniforms. */
  findAll(uniforms: Float64Array, positions: Int32Array): void;
}

/**
 * Splits the weights into `size` cells of equal weight, each of at most two positions. O(n).
 *
 * Sources: Walker, "An efficient method for generating discrete random variables with general distributions", 1977, for the
 * table; Hübschle-Schneider & Sanders, "Parallel weighted random sampling", ESA 2019, for building it in one sweep.
 * @param weights like those of `sumTree`, not all zero; not kept
 * @throws InvalidArgumentError if `weights` is not an array, or has more than 2^31 - 1 weights; InvalidWeightsError naming the
 * first invalid one, or if none is above 0.
 */
export function aliasTable(weights: ArrayLike<number>): AliasTable {
  checkWeightList(weights);
  const size = weights.length;
  checkSize(size);
  const { bounds, offsets } = fillCells(weights);
  // No branch: it would often be mispredicted, and would wait for the cell's cache miss each time.
  const pick = (point: number) => {
    const cell = point | 0;
    return (cell + (offsets[cell]! & -Number(point >= bounds[cell]!))) | 0;
  };
  return {
    size,
    find: (uniform) => pick(uniform * size),
    findAll(uniforms, positions) {
      for (let draw = 0; draw < positions.length; draw++) positions[draw] = pick(uniforms[draw]! * size);
    },
  };
}

/** Cell c covers [c, c + 1): position c up to its bound, and position c + its offset from there on. */
interface Cells {
  readonly bounds: Float64Array;
  readonly offsets: Int32Array;
}

function fillCells(weights: ArrayLike<number>): Cells {
  const size = weights.length;
  let total = 0;
  let heaviest = 0;
  for (let position = 0; position < size; position++) {
    total += checkedWeight(weights[position]!, position);
    if (weights[position]! > weights[heaviest]!) heaviest = position;
  }
  checkTotal(total, size);
  const scale = size / total; // infinite if the total is very close to 0
  const shareOf = (position: number) =>
    scale < Infinity ? weights[position]! * scale : (weights[position]! / total) * size; // in cells

  // Positions with a share of at most one cell go to the front, the others to the back. Both ends are written and one of them
  // moves, without a branch, which would be mispredicted half of the time.
  const order = new Int32Array(size);
  let smalls = 0;
  for (let position = 0; position < size; position++) {
    order[size - 1 - position + smalls] = position;
    order[smalls] = position;
    smalls += Number(shareOf(position) <= 1);
  }

  const bounds = new Float64Array(size);
  const offsets = new Int32Array(size);
  const fill = (cell: number, share: number, alias: number) => {
    bounds[cell] = cell + share;
    offsets[cell] = alias - cell;
  };
  // The cell of each small share is filled up from the current large share. A large share that has fallen below one cell becomes
  // small: its own cell is filled up from the next large share.
  let large = size - 1; // index of the current large share in `order`
  let rest = large >= smalls ? shareOf(order[large]!) : 0;
  for (let index = 0; index < smalls; index++) {
    const small = order[index]!;
    const share = shareOf(small);
    if (large < smalls) {
      fill(small, share > 0 ? 1 : 0, heaviest); // only rounding errors are missing here
      continue;
    }
    fill(small, share, order[large]!);
    rest -= 1 - share;
    while (rest < 1 && large > smalls) {
      fill(order[large]!, Math.max(0, rest), order[large - 1]!);
      rest += shareOf(order[--large]!) - 1;
    }
  }
  for (; large >= smalls; large--) fill(order[large]!, 1, order[large]!);
  return { bounds, offsets };
}
