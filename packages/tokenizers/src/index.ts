/**
 * Tokenizers of language models, without TensorFlow.js.
 *
 * - A {@link Tokenizer} turns text into token ids and back. {@link loadTokenizer} reads the files of a Hugging Face folder,
 *   {@link tokenizerFromJson} takes a parsed `tokenizer.json`, and {@link tokenizerJsonFromGguf} makes one from the metadata of a
 *   GGUF file. {@link saveTokenizer} writes the files.
 * - {@link trainBytePairTokenizer} learns a byte-level BPE vocabulary from texts.
 * - A {@link ChatFormat} writes prompts and answers as tokens: {@link chatFormat} takes the chat template of the model.
 */
export {
  type ChatFormat,
  type ChatMessage,
  type ChatPrompt,
  checkChatFormat,
  promptText,
} from './chat-format.js';
export { type ChatFormatOptions, chatFormat } from './choose-chat-format.js';
export { chatSettingsFromGguf, type GgufMetadata, tokenizerJsonFromGguf } from './gguf-vocabulary.js';
export { type ChatSettings, type SpecialToken, type Tokenizer, tokenizerFromJson } from './tokenizer.js';
export { loadTokenizer, saveTokenizer } from './tokenizer-files.js';
export { trainBytePairTokenizer } from './train-bpe.js';
