/**
 * Unscaled Walsh-Hadamard transform of the first `size` values, in place: size × log2(size) additions.
 * @param size a power of two
 */
export function walshHadamard(values: Float64Array, size: number): void {
  let half = 1;
  for (; half * 8 <= size; half *= 8) {
    for (let start = 0; start < size; start += 8 * half) {
      // Three levels at once take a third of the loads and stores.
      for (let at = start; at < start + half; at++) {
        const a0 = values[at]!;
        const a1 = values[at + half]!;
        const a2 = values[at + 2 * half]!;
        const a3 = values[at + 3 * half]!;
        const a4 = values[at + 4 * half]!;
        const a5 = values[at + 5 * half]!;
        const a6 = values[at + 6 * half]!;
        const a7 = values[at + 7 * half]!;
        const b0 = a0 + a1;
        const b1 = a0 - a1;
        const b2 = a2 + a3;
        const b3 = a2 - a3;
        const b4 = a4 + a5;
        const b5 = a4 - a5;
        const b6 = a6 + a7;
        const b7 = a6 - a7;
        const c0 = b0 + b2;
        const c1 = b1 + b3;
        const c2 = b0 - b2;
        const c3 = b1 - b3;
        const c4 = b4 + b6;
        const c5 = b5 + b7;
        const c6 = b4 - b6;
        const c7 = b5 - b7;
        values[at] = c0 + c4;
        values[at + half] = c1 + c5;
        values[at + 2 * half] = c2 + c6;
        values[at + 3 * half] = c3 + c7;
        values[at + 4 * half] = c0 - c4;
        values[at + 5 * half] = c1 - c5;
        values[at + 6 * half] = c2 - c6;
        values[at + 7 * half] = c3 - c7;
      }
    }
  }
  for (; half < size; half *= 2) {
    for (let start = 0; start < size; start += 2 * half) {
      for (let at = start; at < start + half; at++) {
        const a = values[at]!;
        const b = values[at + half]!;
        values[at] = a + b;
        values[at + half] = a - b;
      }
    }
  }
}
