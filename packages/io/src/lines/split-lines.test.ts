import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitLines } from './split-lines.js';

async function* cut(bytes: Uint8Array, sizes: readonly number[]) {
  let start = 0;
  for (const size of sizes) {
    yield bytes.subarray(start, start + size);
    start += size;
  }
  yield bytes.subarray(start);
}

test('lines, numbers and offsets do not depend on the chunks', async () => {
  const byte = fc.constantFrom(0x0a, 0x0a, 0x0d, 0x61, 0xc3, 0x00);
  const cases = fc.record({
    bytes: fc.array(byte, { maxLength: 60 }).map((items) => Buffer.from(items)),
    sizes: fc.array(fc.nat(7), { maxLength: 20 }),
    max: fc.integer({ min: 1, max: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ bytes, sizes, max }) => {
      const whole = bytes.toString('latin1').split('\n');
      let offset = 0;
      const expected = whole.map((text, index) => {
        const line = { line: index + 1, byte: offset, text: text.length > max ? undefined : text };
        offset += text.length + 1;
        return line;
      });
      if (whole.at(-1) === '') expected.pop(); // after the last line feed there is no line
      const seen: typeof expected = [];
      for await (const { line, byte, bytes: content } of splitLines(cut(bytes, sizes), max)) {
        seen.push({ line, byte, text: content && Buffer.from(content).toString('latin1') });
      }
      expect(seen).toEqual(expected);
    }),
    { seed: 1, numRuns: 300 },
  );
});
