/**
 * Splits positions into batches of similar lengths, longest first, so that little of a batch is padding and a batch too large
 * for the memory fails at once. A batch has at most `batchSize` items and, padded to its longest, at most `batchTokens` tokens; an
 * item longer than that goes alone.
 */
export function lengthBatches(
  lengths: ArrayLike<number>,
  { batchSize, batchTokens }: { readonly batchSize: number; readonly batchTokens: number },
): number[][] {
  const order = Array.from({ length: lengths.length }, (_, position) => position);
  order.sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const batches: number[][] = [];
  let longest = 0;
  for (const position of order) {
    const batch = batches.at(-1);
    if (batch && batch.length < batchSize && longest * (batch.length + 1) <= batchTokens) batch.push(position);
    else {
      batches.push([position]);
      longest = lengths[position]!;
    }
  }
  return batches;
}
