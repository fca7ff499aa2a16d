/** With RAREFY_EXHAUSTIVE=1, as in CI, tests that try very many cases try all of them; otherwise a part, to stay quick. */
export const isExhaustive = process.env.RAREFY_EXHAUSTIVE === '1';

/** How many cases a test tries. */
export const casesOf = (quick: number, exhaustive: number) => (isExhaustive ? exhaustive : quick);
