import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64.js';

afterEach(() => vi.unstubAllGlobals());

test.each(['with Buffer', 'without Buffer, as in a browser'])(
  'encodes as Node does and decodes to the same bytes, %s',
  (where) => {
    const { Buffer } = globalThis;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), fc.nat(8), (bytes, skipped) => {
        const view = bytes.subarray(skipped);
        if (where !== 'with Buffer') vi.stubGlobal('Buffer', undefined);
        const text = encodeBase64(view);
        vi.stubGlobal('Buffer', Buffer);
        expect(text).toBe(Buffer.from(view).toString('base64'));
        expect([...decodeBase64(text)]).toEqual([...view]);
      }),
      { seed: 1, numRuns: 50 },
    );
  },
);

test('doubles are restored exactly', () => {
  const values = Float64Array.of(0, -0, 1 / 3, Number.MAX_VALUE, Number.MIN_VALUE, Number.NaN, -Infinity);
  expect(new Float64Array(decodeBase64(encodeBase64(values)).buffer)).toEqual(values);
});

test('rejects text that is not base64', () => {
  for (const text of ['!', 'AAAAA', 'AA=A']) expect(() => decodeBase64(text)).toThrow();
});
