/** Number of ways to choose `count` of `size`, exact while it is a safe integer. */
export function binomial(size: number, count: number): number {
  let ways = 1;
  for (let index = 1; index <= Math.min(count, size - count); index++) {
    ways = Math.round((ways * (size - Math.min(count, size - count) + index)) / index);
  }
  return ways;
}

/** Sum of every choice of `count` of `values`, in lexicographic order of positions: the first `count` values come first. */
export function sumsOfSubsets(values: ArrayLike<number>, count: number): Float64Array {
  const sums = new Float64Array(binomial(values.length, count));
  let filled = 0;
  const visit = (from: number, left: number, sum: number): void => {
    if (left === 0) {
      sums[filled++] = sum;
      return;
    }
    for (let index = from; index <= values.length - left; index++) visit(index + 1, left - 1, sum + values[index]!);
  };
  visit(0, count, 0);
  return sums;
}

/** The value that `rank` others are at least as large as: 0 is the largest. Reorders `values`. */
export function selectLargest(values: Float64Array, rank: number): number {
  let from = 0;
  let to = values.length - 1;
  while (from < to) {
    const pivot = values[(from + to) >> 1]!;
    let left = from;
    let right = to;
    while (left <= right) {
      while (values[left]! > pivot) left++;
      while (values[right]! < pivot) right--;
      if (left > right) break;
      const value = values[left]!;
      values[left++] = values[right]!;
      values[right--] = value;
    }
    if (rank <= right) to = right;
    else if (rank >= left) from = left;
    else break;
  }
  return values[rank]!;
}
