import { checkInteger, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { learnMerges } from './learn-merges.js';
import { type Tokenizer, tokenizerFromJson } from './tokenizer.js';

interface TrainBytePairOptions {
  /** Number of all tokens: 256 bytes, merges and special tokens. The result is smaller if the texts have no more pairs to merge. */
  readonly vocabularySize: number;
  /** They get the last ids, in this order. Default: the tokens of nanochat's conversation format, and padding. */
  readonly specialTokens?: readonly string[];
}

const nanochatTokens = [
  '<|bos|>',
  '<|user_start|>',
  '<|user_end|>',
  '<|assistant_start|>',
  '<|assistant_end|>',
  '<|pad|>',
];

/**
 * How text is split before merging: GPT-4's pattern with at most two digits per word, as nanochat uses it for small
 * vocabularies. It means the same in JavaScript and Oniguruma: no case folding, and white space by its Unicode property.
 */
const splitPattern = [
  "'(?:[sdmtSDMT]|[lL][lL]|[vV][eE]|[rR][eE])",
  String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`,
  String.raw`\p{N}{1,2}`,
  String.raw` ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*`,
  String.raw`\p{White_Space}*[\r\n]+`,
  String.raw`\p{White_Space}+(?!\P{White_Space})`,
  String.raw`\p{White_Space}+`,
].join('|');

/**
 * Learns byte-level byte-pair encoding from texts. Every string can be encoded, and decoding returns it exactly. The result
 * does not depend on the order of the texts. Python's `tokenizers` reads its `json` and encodes the same.
 *
 * Source: Radford et al., "Language models are unsupervised multitask learners", 2019, section 2.2.
 * @throws InvalidArgumentError if the vocabulary is too small for the bytes and special tokens, or the name of a special token
 *   is empty, repeated or an ordinary token.
 */
export function trainBytePairTokenizer(texts: Iterable<string>, options: TrainBytePairOptions): Tokenizer {
  checkOptions(options, ['vocabularySize', 'specialTokens'], 'trainBytePairTokenizer');
  const { vocabularySize, specialTokens = nanochatTokens } = options;
  const smallest = 256 + specialTokens.length;
  checkInteger('vocabularySize (256 bytes, special tokens and merges)', vocabularySize, smallest);

  const counts = countWords(texts);
  const utf8 = new TextEncoder();
  const words = [...counts.keys()].map((word) => Int32Array.from(utf8.encode(word)));
  const merges = learnMerges(words, [...counts.values()], 256, vocabularySize - smallest);
  const tokens = byteAlphabet();
  for (const [left, right] of merges) tokens.push(tokens[left]! + tokens[right]!);

  const taken = new Set(['', ...tokens]);
  for (const name of specialTokens) {
    if (taken.has(name)) {
      throw new InvalidArgumentError(
        `special token ${JSON.stringify(name)} is empty, repeated or an ordinary token; choose a name such as <|name|>`,
      );
    }
    taken.add(name);
  }

  return tokenizerFromJson({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, index) => ({
      id: tokens.length + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: splitPattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => `${tokens[left]} ${tokens[right]}`),
    },
  });
}

/** Number of occurrences of each word. */
function countWords(texts: Iterable<string>): Map<string, number> {
  const pattern = new RegExp(splitPattern, 'gu');
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text.match(pattern) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** The printable character for each byte in a vocabulary, as in GPT-2: the byte's own character, or the next one from U+0100. */
function byteAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}
