/** Depth of a block: a strip of b then has 8 KiB and stays in the first-level cache. */
const DEPTH: i32 = 256;
/** Rows of a block of a: it then has 512 KiB and stays in the second-level cache. */
const ROWS: i32 = 512;

/** Bytes of scratch memory that a product needs: a strip of b and a block of a. */
export function productScratch(): i32 {
  return DEPTH * 4 * (8 + ROWS);
}

/**
 * out[m, n] = a · b, each of which may be stored transposed: a number of a lies at row · aRow + k · aDepth, one of b at
 * k · bDepth + column · bColumn, and one of the two strides is 4.
 *
 * Each number of the result is the sum of its products in the order of k, in blocks of DEPTH. So it depends on its row and its
 * column alone: a row has the same bits in a product with any number of rows.
 * @param scratch {@link productScratch} bytes
 */
export function product(
  a: usize, aRow: usize, aDepth: usize, b: usize, bDepth: usize, bColumn: usize,
  out: usize, m: i32, n: i32, k: i32, scratch: usize,
): void {
  const outRow = <usize>n << 2;
  if (k == 0) memory.fill(out, 0, <usize>m * outRow);
  const block = scratch + <usize>(DEPTH * 32);
  for (let k0 = 0; k0 < k; k0 += DEPTH) {
    const depth = min(DEPTH, k - k0);
    for (let m0 = 0; m0 < m; m0 += ROWS) {
      const rows = min(ROWS, m - m0);
      let left = a + <usize>m0 * aRow + <usize>k0 * aDepth;
      let leftRow = aRow;
      let leftDepth = aDepth;
      let leftTile = aRow << 2;
      if (aDepth != 4) {
        packRows(left, aDepth, block, rows, depth);
        left = block;
        leftRow = 4;
        leftDepth = 16;
        leftTile = <usize>depth << 4;
      }
      for (let n0 = 0; n0 < n; n0 += 8) {
        const columns = min(8, n - n0);
        let right = b + <usize>n0 * bColumn + <usize>k0 * bDepth;
        let rightDepth = bDepth;
        // A strip that few rows meet is not worth packing.
        if (columns < 8 || bColumn != 4 || rows > 8) {
          if (bColumn == 4) packColumns(right, bDepth, scratch, columns, depth);
          else packTransposed(right, bDepth, bColumn, scratch, columns, depth);
          right = scratch;
          rightDepth = 32;
        }
        let from = left;
        let to = out + <usize>m0 * outRow + (<usize>n0 << 2);
        for (let row = 0; row < rows; row += 4) {
          tile(from, leftRow, leftDepth, right, rightDepth, to, outRow, min(4, rows - row), columns, depth, k0 > 0);
          from += leftTile;
          to += outRow << 2;
        }
      }
    }
  }
}

/** out [rows ≤ 4, columns ≤ 8] = or += a · b over `depth` numbers. */
function tile(
  a: usize, aRow: usize, aDepth: usize, b: usize, bDepth: usize,
  out: usize, outRow: usize, rows: i32, columns: i32, depth: i32, adds: bool,
): void {
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  let a0 = a;
  let a1 = rows > 1 ? a + aRow : a;
  let a2 = rows > 2 ? a + 2 * aRow : a;
  let a3 = rows > 3 ? a + 3 * aRow : a;
  // Not unrolled: V8 then runs out of registers, and the loop takes a third longer.
  for (let i = depth; i > 0; i--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a0);
    s00 = f32x4.add(s00, f32x4.mul(x, b0));
    s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load32_splat(a1);
    s10 = f32x4.add(s10, f32x4.mul(x, b0));
    s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load32_splat(a2);
    s20 = f32x4.add(s20, f32x4.mul(x, b0));
    s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load32_splat(a3);
    s30 = f32x4.add(s30, f32x4.mul(x, b0));
    s31 = f32x4.add(s31, f32x4.mul(x, b1));
    a0 += aDepth;
    a1 += aDepth;
    a2 += aDepth;
    a3 += aDepth;
    b += bDepth;
  }
  write(out, s00, s01, columns, adds);
  if (rows > 1) write(out + outRow, s10, s11, columns, adds);
  if (rows > 2) write(out + 2 * outRow, s20, s21, columns, adds);
  if (rows > 3) write(out + 3 * outRow, s30, s31, columns, adds);
}

/** Writes or adds up to 8 numbers of a row. */
function write(out: usize, low: v128, high: v128, columns: i32, adds: bool): void {
  if (columns == 8) {
    if (adds) {
      low = f32x4.add(v128.load(out), low);
      high = f32x4.add(v128.load(out, 16), high);
    }
    v128.store(out, low);
    v128.store(out, high, 16);
    return;
  }
  for (let i = 0; i < columns; i++) {
    if (i == 4) low = high;
    const value = f32x4.extract_lane(low, 0);
    store<f32>(out, adds ? load<f32>(out) + value : value);
    low = i8x16.shuffle(low, low, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
    out += 4;
  }
}

/** Packs rows of a block of a, stored transposed: 4 rows after each other, and of them the 4 numbers of each k. */
function packRows(a: usize, aDepth: usize, to: usize, rows: i32, depth: i32): void {
  for (let row = 0; row < rows; row += 4) {
    const count = min(4, rows - row);
    let from = a + (<usize>row << 2);
    for (let i = 0; i < depth; i++) {
      if (count == 4) v128.store(to, v128.load(from));
      else for (let r = 0; r < count; r++) store<f32>(to + (<usize>r << 2), load<f32>(from + (<usize>r << 2)));
      to += 16;
      from += aDepth;
    }
  }
}

/** Packs up to 8 columns of a block of b: the 8 numbers of each k, with 0 for columns that b lacks. */
function packColumns(b: usize, bDepth: usize, to: usize, columns: i32, depth: i32): void {
  for (let i = 0; i < depth; i++) {
    if (columns == 8) {
      v128.store(to, v128.load(b));
      v128.store(to, v128.load(b, 16), 16);
    } else packOne(b, 4, to, columns);
    to += 32;
    b += bDepth;
  }
}

/** The same for b stored transposed. */
function packTransposed(b: usize, bDepth: usize, bColumn: usize, to: usize, columns: i32, depth: i32): void {
  let i = 0;
  if (columns == 8 && bDepth == 4) {
    for (; i + 4 <= depth; i += 4) {
      transpose4(b, bColumn, to);
      transpose4(b + 4 * bColumn, bColumn, to + 16);
      b += 16;
      to += 128;
    }
  }
  for (; i < depth; i++) {
    packOne(b, bColumn, to, columns);
    b += bDepth;
    to += 32;
  }
}

function packOne(b: usize, bColumn: usize, to: usize, columns: i32): void {
  for (let column = 0; column < 8; column++) {
    store<f32>(to + (<usize>column << 2), column < columns ? load<f32>(b + <usize>column * bColumn) : 0);
  }
}

/** Writes 4 rows of 4 numbers as columns, 32 bytes from number to number. */
// @ts-ignore: decorator
@inline
function transpose4(from: usize, row: usize, to: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + row);
  const r2 = v128.load(from + 2 * row);
  const r3 = v128.load(from + 3 * row);
  const low01 = i8x16.shuffle(r0, r1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const high01 = i8x16.shuffle(r0, r1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const low23 = i8x16.shuffle(r2, r3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const high23 = i8x16.shuffle(r2, r3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(to, i8x16.shuffle(low01, low23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(to, i8x16.shuffle(low01, low23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 32);
  v128.store(to, i8x16.shuffle(high01, high23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 64);
  v128.store(to, i8x16.shuffle(high01, high23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 96);
}
