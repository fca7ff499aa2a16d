/**
 * Splits rows into runs, longest rows first. A run, padded to its longest row, has at most `budget` tokens, of which at most the
 * share `maxPadding` is padding. A row longer than the budget gets a run of its own.
 * @param maxPadding in [0, 1]; use a small value where a padding token costs as much as a real one
 */
export function tokenBudgetRuns<Row extends { readonly ids: ArrayLike<number> }>(
  rows: readonly Row[],
  budget: number,
  maxPadding: number,
): Row[][] {
  const runs: Row[][] = [];
  let longest = 0;
  let real = 0; // tokens of the current run, without padding
  for (const row of rows.toSorted((a, b) => b.ids.length - a.ids.length)) {
    const { length } = row.ids;
    const run = runs.at(-1);
    const padded = longest * ((run?.length ?? 0) + 1);
    if (run && padded <= budget && real + length >= (1 - maxPadding) * padded) {
      run.push(row);
      real += length;
    } else {
      runs.push([row]);
      longest = length;
      real = length;
    }
  }
  return runs;
}
