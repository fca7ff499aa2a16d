import { InvalidArgumentError } from '@rarefy/core';

/** @throws InvalidArgumentError for a text with half of a surrogate pair, which UTF-8 lacks; JSON escapes it. */
export function checkText(value: string): void {
  if (/[\ud800-\udfff]/.test(value) && Buffer.from(value).toString() !== value) {
    throw new InvalidArgumentError(
      `${JSON.stringify(value)} holds half a character, which UTF-8 lacks; write .safetensors or .npy`,
    );
  }
}
