import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CallOptions, CorruptFileError, InputError } from '@rarefy/core';
import { writeAtomically } from '@rarefy/io';
import { type Tokenizer, tokenizerFromJson } from './tokenizer.js';

/**
 * Reads a Hugging Face `tokenizer.json`, and the `tokenizer_config.json` in the same folder if there is one.
 * @param path the file, or its folder
 * @throws InputError if the file is missing or holds an unsupported tokenizer; CorruptFileError if it is not valid JSON.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const file = isFolder ? join(path, 'tokenizer.json') : path;
  const json = await readJson(file);
  if (json === undefined) {
    throw new InputError(
      isFolder
        ? `${path} has no tokenizer.json; save the tokenizer there in the Hugging Face "fast" format`
        : `there is no tokenizer at ${path}; give a tokenizer.json or the folder that holds one`,
    );
  }
  const config = await readJson(join(dirname(file), 'tokenizer_config.json'));
  return tokenizerFromJson(json, config ?? {}, file);
}

/**
 * Writes `tokenizer.json` and a minimal `tokenizer_config.json` for Hugging Face's `AutoTokenizer`. Each file is written whole
 * or not at all. Creates the folder if it is missing.
 * @throws InputError if a file cannot be written; the signal's reason on abort.
 */
export async function saveTokenizer(folder: string, tokenizer: Tokenizer, options: CallOptions = {}): Promise<void> {
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', clean_up_tokenization_spaces: false };
  await writeAtomically(join(folder, 'tokenizer_config.json'), jsonBytes(config), options);
  await writeAtomically(join(folder, 'tokenizer.json'), jsonBytes(tokenizer.json), options);
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/** The parsed file; undefined if it does not exist. */
async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new InputError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CorruptFileError(
      `${file} is not valid JSON (${(cause as Error).message}): it is damaged or incomplete; download or save it again`,
      { cause },
    );
  }
}
