const names = [
  'Uint8Array',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'ArrayBuffer',
] as const;

/**
 * Watches every typed array and buffer created with `new` until `stop`. `largest()` returns the size in bytes of the largest one
 * since the previous call. Views of an existing buffer do not count.
 */
export function watchAllocations(): { largest(): number; stop(): void } {
  let most = 0;
  const originals = new Map<string, unknown>();
  const scope = globalThis as unknown as Record<string, new (...values: unknown[]) => { byteLength: number }>;
  for (const name of names) {
    const original = scope[name]!;
    originals.set(name, original);
    scope[name] = new Proxy(original, {
      construct(target, values, newTarget) {
        const [first] = values;
        if (typeof first === 'number') {
          const bytes = first * (((target as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1) || 1);
          if (bytes > most) most = bytes; // also if it is too large and fails
        }
        const made = Reflect.construct(target, values, newTarget === scope[name] ? target : newTarget) as {
          byteLength: number;
        };
        if (!(first instanceof ArrayBuffer) && made.byteLength > most) most = made.byteLength;
        return made;
      },
    });
  }
  return {
    largest() {
      const found = most;
      most = 0;
      return found;
    },
    stop() {
      for (const [name, original] of originals) scope[name] = original as (typeof scope)[string];
    },
  };
}
