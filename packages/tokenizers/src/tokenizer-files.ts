import { readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CallOptions, CorruptFileError, InputError } from '@rarefy/core';
import { writeAtomically } from '@rarefy/io';
import { type ChatSettings, type Tokenizer, tokenizerFromJson } from './tokenizer.js';

/**
 * Reads a Hugging Face `tokenizer.json`, and what the files in the same folder say of chats: the chat template in
 * `chat_template.jinja` or `tokenizer_config.json`, and the tokens that end an answer in `generation_config.json` and
 * `config.json`.
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
  const folder = dirname(file);
  const tokenizer = tokenizerFromJson(json, (await readJson(join(folder, 'tokenizer_config.json'))) ?? {}, file);
  const template = await readText(join(folder, templateFile));
  const generationConfig = asObject(await readJson(join(folder, generationFile)));
  const modelConfig = asObject(await readJson(join(folder, 'config.json')));
  const chat: ChatSettings = {
    ...tokenizer.chat,
    ...(template !== undefined && { template }),
    ...(generationConfig && { generationConfig }),
    stopIds: [...new Set([generationConfig, modelConfig].flatMap((config) => config?.eos_token_id ?? []).filter(isId))],
  };
  return { ...tokenizer, chat };
}

const templateFile = 'chat_template.jinja';
const generationFile = 'generation_config.json';

/**
 * Writes `tokenizer.json` and `tokenizer_config.json` for Hugging Face's `AutoTokenizer`, and `chat_template.jinja` and
 * `generation_config.json` if the model has them; old ones are removed. Each file is written whole or not at all. Creates
 * the folder if it is missing.
 * @throws InputError if a file cannot be written; the signal's reason on abort.
 */
export async function saveTokenizer(folder: string, tokenizer: Tokenizer, options: CallOptions = {}): Promise<void> {
  const { template, config = {}, generationConfig } = tokenizer.chat ?? {};
  const { chat_template: _, ...others } = config; // the template has a file of its own
  const defaults = { tokenizer_class: 'PreTrainedTokenizerFast', clean_up_tokenization_spaces: false };
  await writeAtomically(join(folder, 'tokenizer_config.json'), jsonBytes({ ...defaults, ...others }), options);
  await writeOrRemove(join(folder, templateFile), template === undefined ? undefined : Buffer.from(template), options);
  await writeOrRemove(join(folder, generationFile), generationConfig && jsonBytes(generationConfig), options);
  await writeAtomically(join(folder, 'tokenizer.json'), jsonBytes(tokenizer.json), options);
}

async function writeOrRemove(file: string, bytes: Uint8Array | undefined, options: CallOptions): Promise<void> {
  if (bytes === undefined) await rm(file, { force: true });
  else await writeAtomically(file, bytes, options);
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/** The parsed file; undefined if it does not exist. */
async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CorruptFileError(
      `${file} is not valid JSON (${(cause as Error).message}): it is damaged or incomplete; download or save it again`,
      { cause },
    );
  }
}

/** The text of the file; undefined if it does not exist. */
async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new InputError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
