import { checkInteger, checkOptions, checkSeed, InvalidArgumentError } from '@rarefy/core';

export interface RaceDensityOptions {
  /** Rows of counters. The error falls with the square root of their number; time and memory grow with it. Default 1000. */
  readonly rows?: number;
  /** Sign hashes per row, in [1, 16]: the power of the kernel. Each row has 2^hashes counters. Default 4. */
  readonly hashes?: number;
  /** Any safe integer. The same seed gives the same sketch on every platform. Default 0. */
  readonly seed?: number;
  /** Counts only the last `window` points, an integer ≥ 2; takes 2 x window x rows bytes. Default: counts all points. */
  readonly window?: number;
}

const optionNames = ['rows', 'hashes', 'seed', 'window'] satisfies (keyof RaceDensityOptions)[];

const maxCounters = 2 ** 28; // 1 GiB
const maxCodes = 2 ** 30; // 2 GiB

/** Fills in the defaults. @throws InvalidArgumentError if an option is unknown or out of range. */
export function raceSettings(options: RaceDensityOptions) {
  checkOptions(options, optionNames, 'raceDensity');
  const { rows = 1000, hashes = 4, seed = 0, window } = options;
  checkInteger('rows', rows, 1);
  checkInteger('hashes', hashes, 1, 16);
  checkSeed(seed);
  if (rows * 2 ** hashes > maxCounters) {
    throw new InvalidArgumentError(`${rows} rows of 2^${hashes} counters are more than 2^28 counters; use fewer`);
  }
  if (window !== undefined) checkInteger('window', window, 2);
  if (window !== undefined && window * rows > maxCodes) {
    throw new InvalidArgumentError(`a window of ${window} points x ${rows} rows is more than 2^30 codes; use fewer`);
  }
  const windowName = window === undefined ? '' : `,window=${window}`;
  const fingerprint = `race-density:rows=${rows},hashes=${hashes},seed=${seed}${windowName}`;
  return { rows, hashes, seed, window, fingerprint };
}
