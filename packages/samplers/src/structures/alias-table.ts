import { checkTotal } from './check-drawable.js';
import { checkSize } from './check-size.js';
import { checkedWeight } from './check-weight.js';

/** Weights that stay as they are: O(1) draw, 12 bytes a position. */
export interface AliasTable {
  readonly size: number;
  /**
   * A position, as often as its weight says, to within 2^-53 of all draws. A zero weight is never returned.
   * @param uniform in [0, 1); its 53 bits pick the cell and, with what they have left, one of the cell's two positions
   */
  find(uniform: number): number;
  /** The same for as many uniforms as `positions` takes. */
  findAll(uniforms: Float64Array, positions: Int32Array): void;
}

/**
 * Cuts the weights into `size` cells of equal weight, each of at most two positions.
 *
 * Source: Walker, "An efficient method for generating discrete random variables with general distributions", 1977, for the table;
 * the sweep of Hübschle-Schneider & Sanders, "Parallel weighted random sampling", ESA 2019, for building it: O(n), in order.
 * @param weights as of `sumTree`, not all zero; not kept
 * @throws InvalidArgumentError for more than 2^31 - 1 weights; InvalidWeightsError naming the first bad one, or when none is above 0.
 */
export function aliasTable(weights: ArrayLike<number>): AliasTable {
  const size = weights.length;
  checkSize(size);
  const { bounds, offsets } = fillCells(weights);
  // Without a branch, which would often be guessed wrong, and wait for the cell's cache miss each time.
  const pick = (at: number) => {
    const cell = at | 0;
    return (cell + (offsets[cell]! & -Number(at >= bounds[cell]!))) | 0;
  };
  return {
    size,
    find: (uniform) => pick(uniform * size),
    findAll(uniforms, positions) {
      for (let draw = 0; draw < positions.length; draw++) positions[draw] = pick(uniforms[draw]! * size);
    },
  };
}

/** Cell c is [c, c + 1): up to its bound it is position c, and from there on position c + its offset. */
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
  const scale = size / total; // infinite when the total is hardly above 0
  const shareOf = (position: number) =>
    scale < Infinity ? weights[position]! * scale : (weights[position]! / total) * size; // in cells

  // Positions of shares up to one cell from the front, of larger ones from the back. Both ends are written and one moves on: which
  // one is no branch, for it would be guessed wrong every other time.
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
  // Each small share's cell takes what it lacks from the large one in turn. A large one that is used up below one cell is small from
  // then on, and its own cell takes what it lacks from the next.
  let at = size - 1; // of the large position in `order`
  let rest = at >= smalls ? shareOf(order[at]!) : 0;
  for (let index = 0; index < smalls; index++) {
    const small = order[index]!;
    const share = shareOf(small);
    if (at < smalls) {
      fill(small, share > 0 ? 1 : 0, heaviest); // what is missing here is no more than a rounding
      continue;
    }
    fill(small, share, order[at]!);
    rest -= 1 - share;
    while (rest < 1 && at > smalls) {
      fill(order[at]!, Math.max(0, rest), order[at - 1]!);
      rest += shareOf(order[--at]!) - 1;
    }
  }
  for (; at >= smalls; at--) fill(order[at]!, 1, order[at]!);
  return { bounds, offsets };
}
