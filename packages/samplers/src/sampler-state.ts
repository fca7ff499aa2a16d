import { type SamplerState, StateMismatchError } from '@rarefy/core';

/**
 * The payload of a state that belongs to the sampler with this fingerprint.
 * @throws StateMismatchError when it belongs to another one or has no payload.
 */
export function payloadOf(state: SamplerState, fingerprint: string): Readonly<Record<string, unknown>> {
  const { version, fingerprint: other, payload } = (state ?? {}) as Partial<SamplerState>;
  if (version !== 1) throw new StateMismatchError(`state has version ${version} and this sampler reads version 1`);
  if (other !== fingerprint) {
    throw new StateMismatchError(
      `state is of sampler "${other}" and this one is "${fingerprint}"; build it with the same weights and options`,
    );
  }
  if (!isRecord(payload)) throw new StateMismatchError('state has no payload; it is damaged');
  return payload;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** @throws StateMismatchError naming the field when the value is not a draw index, a safe integer ≥ 0. */
export function readIndex(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new StateMismatchError(`state field ${field} is ${value} and must be an integer ≥ 0; the state is damaged`);
}

/** The state of a sampler that is all told by its seed and its next draw. */
export function placeState(fingerprint: string, seed: number, next: number, digest: string): SamplerState {
  return { version: 1, fingerprint, payload: { seed, next, digest } };
}

/** The next draw that `placeState` told of. @throws StateMismatchError for the state of another sampler, or a damaged one. */
export function readPlace(
  state: SamplerState,
  fingerprint: string,
  seed: number,
  digestAt: (next: number) => string,
): number {
  const payload = payloadOf(state, fingerprint);
  const next = readIndex(payload.next, 'next');
  checkSeed(payload.seed, seed);
  checkDigest(payload.digest, digestAt(next));
  return next;
}

/** @throws StateMismatchError when the seed is not the expected one. */
export function checkSeed(value: unknown, expected: number): void {
  if (value !== expected) throw new StateMismatchError(`state has seed ${value} and this sampler ${expected}`);
}

/** @throws StateMismatchError when a digest is not the expected one. */
export function checkDigest(value: unknown, expected: string): void {
  if (value === expected) return;
  throw new StateMismatchError(
    `state has digest ${value} where these weights and this history give ${expected}: other weights, or a damaged state`,
  );
}
