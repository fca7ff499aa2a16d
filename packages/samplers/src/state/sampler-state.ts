import { decodeBase64, described, type SamplerState, StateMismatchError } from '@rarefy/core';

/**
 * The payload of a state.
 * @throws StateMismatchError if the state belongs to a sampler with another fingerprint, or has no payload.
 */
export function payloadOf(state: SamplerState, fingerprint: string): Readonly<Record<string, unknown>> {
  if (!isRecord(state)) {
    const hint = typeof state === 'string' ? '; parse it with JSON.parse' : '';
    throw new StateMismatchError(`expected the state of a sampler, got ${described(state)}${hint}`);
  }
  const { version, fingerprint: other, payload } = state;
  if (version !== 1) throw new StateMismatchError(`state has version ${version} and this sampler reads version 1`);
  if (other !== fingerprint) {
    throw new StateMismatchError(
      `state is of sampler "${other}" and this one is "${fingerprint}"; build it with the same weights and options`,
    );
  }
  if (!isRecord(payload)) throw new StateMismatchError('state has no payload; it is damaged');
  return payload;
}

/** State of a sampler whose stream depends only on its options: the index of the next draw. */
export function streamState(fingerprint: string, seed: number, next: number, digest: string): SamplerState {
  return { version: 1, fingerprint, payload: { seed, next, digest } };
}

/**
 * Reads a {@link streamState}: the index of the next draw.
 * @param digestAt the digest that a state with this index must have
 * @throws StateMismatchError if the state belongs to another sampler, or is damaged.
 */
export function readStreamState(
  state: SamplerState,
  fingerprint: string,
  seed: number,
  digestAt: (next: number) => string,
): number {
  const payload = payloadOf(state, fingerprint);
  const next = readIndex(payload.next, 'next');
  checkStateSeed(payload.seed, seed);
  checkDigest(payload.digest, digestAt(next));
  return next;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** @throws StateMismatchError naming the field if the value is not a safe integer ≥ 0. */
export function readIndex(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new StateMismatchError(`state field ${field} is ${value} and must be an integer ≥ 0; the state is damaged`);
}

/** @throws StateMismatchError if the seed in a state is not the sampler's. */
export function checkStateSeed(value: unknown, expected: number): void {
  if (value !== expected) throw new StateMismatchError(`state has seed ${value} and this sampler has ${expected}`);
}

/** @throws StateMismatchError if the digest in a state is not the expected one. */
export function checkDigest(value: unknown, expected: string): void {
  if (value === expected) return;
  throw new StateMismatchError(
    `state has digest ${value}, and these weights and this history have ${expected}: the state is damaged or of other weights`,
  );
}

/** @throws StateMismatchError if the value is not base64 of float64 numbers. */
export function decodeDoubles(text: unknown): Float64Array {
  return new Float64Array(decodeBytes(text, 8));
}

/** @throws StateMismatchError if the value is not base64 of int32 numbers. */
export function decodeIntegers(text: unknown): Int32Array {
  return new Int32Array(decodeBytes(text, 4));
}

function decodeBytes(text: unknown, bytesPerNumber: number): ArrayBufferLike {
  try {
    if (typeof text !== 'string') throw new TypeError('they are not text');
    const bytes = decodeBase64(text);
    if (bytes.length % bytesPerNumber === 0) return bytes.buffer;
    throw new RangeError(`${bytes.length} bytes are not a multiple of ${bytesPerNumber}`);
  } catch (cause) {
    throw new StateMismatchError(`numbers in the state cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Calls `compute` at the first call and returns its result at every call. */
export function lazily<Value>(compute: () => Value): () => Value {
  let result: { readonly value: Value } | undefined;
  return () => {
    result ??= { value: compute() };
    return result.value;
  };
}
