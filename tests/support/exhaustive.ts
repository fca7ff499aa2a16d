/** With RAREFY_EXHAUSTIVE=1, as in CI, tests with very many cases run all of them; otherwise a part, to be fast. */
export const isExhaustive = process.env.RAREFY_EXHAUSTIVE === '1';

/** Number of cases that a test runs. */
export const casesOf = (quick: number, exhaustive: number) => (isExhaustive ? exhaustive : quick);
