import { type ArrowDecoder, arrowDecoder } from '../../packages/embeddings/src/formats/arrow/arrow-decoder.js';

/** A decoder for very many small files: one worker, which is replaced when a file exceeds its limits. */
export function reusedDecoder(timeMs = 250): ArrowDecoder {
  let decoder: ArrowDecoder | undefined;
  return {
    async ask(...request) {
      decoder ??= arrowDecoder('x', 4096, timeMs);
      try {
        return await decoder.ask(...request);
      } catch (error) {
        if (/took more than|memory|has ended/.test(String(error))) {
          await decoder[Symbol.asyncDispose]();
          decoder = undefined;
        }
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await decoder?.[Symbol.asyncDispose]();
    },
  };
}
