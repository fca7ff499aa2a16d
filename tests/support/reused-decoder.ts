import { type ArrowDecoder, arrowDecoder } from '../../packages/embeddings/src/formats/arrow/arrow-decoder.js';

/**
 * A decoder for very many small files: one worker, which is replaced when a file exceeds its limits. `replaced()` counts how often.
 */
export function reusedDecoder(timeMs = 5_000): ArrowDecoder & { replaced(): number } {
  let decoder: ArrowDecoder | undefined;
  let replaced = 0;
  return {
    async ask(...request) {
      decoder ??= arrowDecoder('x', 4096, timeMs);
      try {
        return await decoder.ask(...request);
      } catch (error) {
        if (/took more than|memory|has ended/.test(String(error))) {
          replaced++;
          await decoder[Symbol.asyncDispose]();
          decoder = undefined;
        }
        throw error;
      }
    },
    replaced: () => replaced,
    async [Symbol.asyncDispose]() {
      await decoder?.[Symbol.asyncDispose]();
    },
  };
}
