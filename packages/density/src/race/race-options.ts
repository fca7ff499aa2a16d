import { InvalidArgumentError } from '@rarefy/core';

export interface RaceDensityOptions {
  /** Rows of counters: the error falls with the root of their number, time and memory grow with it. Default 1000. */
  readonly rows?: number;
  /** Sign hashes a row, in [1, 16]: the power of the kernel, and 2^hashes counters a row. Default 4. */
  readonly hashes?: number;
  /** Any safe integer. The same seed gives the same sketch on every platform. Default 0. */
  readonly seed?: number;
  /** Only the last `window` points count; takes 2 x window x rows bytes. Default: all count. */
  readonly window?: number;
}

const mostCounters = 2 ** 28; // 1 GiB
const mostCodes = 2 ** 30; // 2 GiB

/** The options with their defaults. @throws InvalidArgumentError for options out of range. */
export function raceSettings({ rows = 1000, hashes = 4, seed = 0, window }: RaceDensityOptions) {
  const check = (isRight: boolean, message: string) => {
    if (!isRight) throw new InvalidArgumentError(message);
  };
  check(Number.isSafeInteger(rows) && rows >= 1, `rows must be an integer ≥ 1, got ${rows}`);
  check(Number.isInteger(hashes) && hashes >= 1 && hashes <= 16, `hashes must be an integer in [1, 16], got ${hashes}`);
  check(rows * 2 ** hashes <= mostCounters, `${rows} rows of 2^${hashes} counters are more than 2^28; take fewer`);
  check(Number.isSafeInteger(seed), `seed must be a safe integer, got ${seed}`);
  check(
    window === undefined || (Number.isSafeInteger(window) && window >= 2),
    `window must be an integer ≥ 2, got ${window}`,
  );
  check(
    window === undefined || window * rows <= mostCodes,
    `a window of ${window} points x ${rows} rows of counters is more than 2^30; take fewer`,
  );
  const named = window === undefined ? '' : `,window=${window}`;
  return { rows, hashes, seed, window, fingerprint: `race-density:rows=${rows},hashes=${hashes},seed=${seed}${named}` };
}
