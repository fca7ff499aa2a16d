import { InvalidArgumentError } from '@rarefy/core';
import { quoted } from '@rarefy/io';

/** @throws InvalidArgumentError for a text with half of a surrogate pair, which UTF-8 lacks; JSON escapes it. */
export function checkText(value: string): void {
  if (/[\ud800-\udfff]/.test(value) && Buffer.from(value).toString() !== value) {
    throw new InvalidArgumentError(
      `${quoted(value)} holds half a character, which UTF-8 lacks; write .safetensors or .npy`,
    );
  }
}
