import { CorruptFileError, InputError } from '@rarefy/core';
import type { GgufMetadata } from './config-from-metadata.js';

/** Ways to split a text before its bytes are paired, by llama.cpp's names, as `tokenizer.json` tells them. */
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const afterSplit = { ...byteLevel, use_regex: false };
const llama3Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const llama3 = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: llama3Pattern }, behavior: 'Isolated', invert: false },
    afterSplit,
  ],
};
const preTokenizers: Readonly<Record<string, object>> = {
  'gpt-2': byteLevel,
  smollm: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
  'llama-bpe': llama3,
};

/** Kinds of token in a GGUF file. */
const control = 3;
const userDefined = 4;

/**
 * The tokenizer.json of a byte-level BPE vocabulary in a GGUF file.
 * @throws InputError for another kind of vocabulary or an unknown way to split texts; CorruptFileError when lists disagree.
 */
export function tokenizerFromMetadata(metadata: GgufMetadata, source: string): object {
  const mend = `put the model's tokenizer.json beside the file`;
  const model = metadata['tokenizer.ggml.model'];
  if (model !== 'gpt2') {
    throw new InputError(
      `${source} has a vocabulary of kind ${JSON.stringify(model)}; only byte-level BPE ('gpt2') is read from it: ${mend}`,
    );
  }
  const split = String(metadata['tokenizer.ggml.pre']);
  const preTokenizer = Object.hasOwn(preTokenizers, split) ? preTokenizers[split] : undefined;
  if (preTokenizer === undefined) {
    throw new InputError(
      `${source} splits texts by '${split}'; ${Object.keys(preTokenizers).join(', ')} are known: ${mend}`,
    );
  }
  const tokens = listOf(metadata, 'tokenizer.ggml.tokens', source);
  const kinds = listOf(metadata, 'tokenizer.ggml.token_type', source);
  const merges = listOf(metadata, 'tokenizer.ggml.merges', source);
  if (kinds.length !== tokens.length || new Set(tokens).size !== tokens.length) {
    throw new CorruptFileError(`${source} has ${tokens.length} tokens, not all different, and ${kinds.length} kinds`);
  }
  const added = tokens.flatMap((content, id) => {
    const kind = Number(kinds[id]);
    return kind === control || kind === userDefined
      ? [{ id, content: String(content), special: kind === control }]
      : [];
  });
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [String(token), id])),
      merges: merges.map(String),
    },
  };
}

function listOf(metadata: GgufMetadata, key: string, source: string): readonly unknown[] {
  const list = metadata[key];
  if (!Array.isArray(list)) throw new CorruptFileError(`${source} has no list ${key}`);
  return list;
}
