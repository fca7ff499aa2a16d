import { InvalidArgumentError } from '../errors.js';

/** @throws InvalidArgumentError if `value` is not an integer in [least, most]. The message starts with `name`. */
export function checkInteger(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `≥ ${least}` : `in [${least}, ${most}]`;
  throw new InvalidArgumentError(`${name} must be an integer ${range}, got ${value}`);
}

/** @throws InvalidArgumentError if `seed` is not a safe integer. */
export function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError(`seed must be a safe integer, got ${seed}`);
}
