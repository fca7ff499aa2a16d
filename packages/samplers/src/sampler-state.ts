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

/** @throws StateMismatchError when a digest is not the expected one. */
export function checkDigest(value: unknown, expected: string): void {
  if (value === expected) return;
  throw new StateMismatchError(
    `state has digest ${value} where these weights and this history give ${expected}: other weights, or a damaged state`,
  );
}
