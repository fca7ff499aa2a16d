import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { CorruptFileError, InputError, InvalidArgumentError, shown } from '@rarefy/core';
import { fileExists, findModelFolder, isModelName, modelRoots } from '@rarefy/io';
import { type Pooling, poolings } from './sentence-graph.js';

/** Suffix of the ONNX file for each precision, by the names of transformers.js: `model.onnx`, `model_fp16.onnx`, … */
export const dtypeSuffixes = {
  fp32: '',
  fp16: '_fp16',
  int8: '_int8',
  uint8: '_uint8',
  q8: '_quantized',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
} as const;
export type OnnxDtype = keyof typeof dtypeSuffixes;

/** A sentence-transformers model as its files describe it. */
export interface SentenceModelFolder {
  /** The graph, and the file of its weights if they are separate. */
  readonly onnxFiles: readonly string[];
  readonly tokenizer: object;
  readonly tokenizerConfig: object;
  readonly truncationSide: 'left' | 'right';
  /** Most tokens of a text, including special tokens; Infinity if no file sets a limit. */
  readonly maxTokens: number;
  readonly lowercase: boolean;
  readonly pooling: Pooling;
  /** Whether the tokens of the prompt take part in pooling. */
  readonly includePrompt: boolean;
  readonly normalize: boolean;
  /** Prefixes for texts, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  readonly defaultPromptName: string | undefined;
}

const example = "'sentence-transformers/all-MiniLM-L6-v2'";

type Json = Readonly<Record<string, unknown>>;

/**
 * The folder of a model, given that folder or the name of a downloaded model.
 * @throws InvalidArgumentError if there is no name; InputError if it is neither a folder nor the name of a downloaded model.
 */
export async function sentenceModelFolder(name: string): Promise<string> {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(
      `onnxEmbedder needs the name or folder of a model, such as ${example}; got ${shown(name)}`,
    );
  }
  if (await fileExists(name)) return name;
  if (!isModelName(name)) {
    throw new InputError(
      `there is no folder ${shown(name)}; give the folder of a model, or the name of one that \`rarefy models pull\` downloaded, such as ${example}`,
    );
  }
  const found = await findModelFolder(name);
  if (found) return found.folder;
  const searched = modelRoots().map(({ root, source }) => `${source} (${root})`);
  throw new InputError(
    `there is no folder ${shown(name)}, and no model of that name in ${searched.join(' or ')}. Get it with: rarefy models pull ${name}`,
  );
}

/**
 * Reads everything but the graph. The modules and the pooling come from the model's files, never from a guess.
 * @throws InputError if a file is missing or the model has other modules; CorruptFileError if a file is not valid JSON.
 */
export async function readSentenceModelFolder(folder: string, dtype: OnnxDtype): Promise<SentenceModelFolder> {
  const modules = await readModules(folder);
  const [transformer, pooling, ...rest] = modules.map(({ type }) => type);
  const known = transformer === 'Transformer' && pooling === 'Pooling' && rest.every((type) => type === 'Normalize');
  if (!known) {
    throw new InputError(
      `the model in ${folder} has the modules ${modules.map(({ type }) => type).join(', ')}; only Transformer, Pooling and an optional Normalize are supported, so choose another model`,
    );
  }
  const textFolder = join(folder, modules[0]!.path);
  const pooled = await requiredJson(join(folder, modules[1]!.path), 'config.json', 'it says how to pool token states');
  const tokenizer = await requiredJson(
    textFolder,
    'tokenizer.json',
    'save the tokenizer in the Hugging Face "fast" format',
  );
  const tokenizerConfig = (await readJson(join(textFolder, 'tokenizer_config.json'))) ?? {};
  const architecture = (await readJson(join(textFolder, 'config.json'))) ?? {};
  const limits = await readTextLimits(textFolder);
  const { prompts, default_prompt_name } = (await readJson(join(folder, 'config_sentence_transformers.json'))) ?? {};

  return {
    onnxFiles: await findOnnxFiles([folder, textFolder], dtype),
    tokenizer,
    tokenizerConfig,
    truncationSide: tokenizerConfig.truncation_side === 'left' ? 'left' : 'right',
    maxTokens:
      positive(limits.max_seq_length) ??
      Math.min(
        positive(tokenizerConfig.model_max_length) ?? Infinity,
        positive(architecture.max_position_embeddings) ?? Infinity,
      ),
    lowercase: limits.do_lower_case === true,
    pooling: poolingOf(pooled, folder),
    includePrompt: pooled.include_prompt !== false,
    normalize: rest.length > 0,
    prompts: (prompts ?? {}) as Record<string, string>,
    defaultPromptName: typeof default_prompt_name === 'string' ? default_prompt_name : undefined,
  };
}

/** Type and folder of each module, in order; a type without the names of Python packages. */
async function readModules(folder: string): Promise<{ readonly type: string; readonly path: string }[]> {
  const advice =
    'give a sentence-transformers folder with an ONNX file, as `SentenceTransformer(…, backend="onnx")` saves it';
  const modules: unknown = await requiredJson(folder, 'modules.json', advice);
  if (!Array.isArray(modules)) throw new InputError(`modules.json in ${folder} is not a list; ${advice}`);
  return modules.map((module) => {
    const { type, path } = Object(module) as Json;
    const inside = normalize(String(path ?? ''));
    if (isAbsolute(inside) || inside.split(/[\\/]/).includes('..')) {
      throw new InputError(
        `modules.json in ${folder} names ${path}, which is outside the folder; do not use this model`,
      );
    }
    return { type: String(type).split('.').at(-1)!, path: inside };
  });
}

/** Reads sentence_bert_config.json, which older models name after their own family. */
async function readTextLimits(folder: string): Promise<Json> {
  const name = (await readdir(folder)).sort().find((file) => /^sentence_.+_config\.json$/.test(file));
  return (name && (await readJson(join(folder, name)))) || {};
}

/** Newer files have `pooling_mode: 'mean'`, older ones `pooling_mode_mean_tokens: true`; mean if neither is there. */
function poolingOf(config: Json, folder: string): Pooling {
  const flags = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true);
  const named = flags.map((flag) => flag.slice('pooling_mode_'.length).replace(/_tokens?$/, ''));
  const modes = [config.pooling_mode ?? (named.length > 0 ? named : 'mean')].flat();
  const mode = poolings.find((pooling) => pooling === modes[0]);
  if (mode === undefined || modes.length > 1) {
    throw new InputError(
      `the model in ${folder} pools by ${modes.join(' and ')}; only one of ${poolings.join(', ')} is supported, so choose another model`,
    );
  }
  return mode;
}

async function findOnnxFiles(folders: readonly string[], dtype: OnnxDtype): Promise<string[]> {
  const path = await findGraph(folders, dtype);
  if (path !== undefined) return (await fileExists(`${path}_data`)) ? [path, `${path}_data`] : [path];
  const others: string[] = [];
  for (const other of Object.keys(dtypeSuffixes) as OnnxDtype[]) {
    if ((await findGraph(folders, other)) !== undefined) others.push(other);
  }
  const fix =
    others.length > 0
      ? `give a dtype that it has: ${others.join(', ')}`
      : 'export the model to ONNX, as `SentenceTransformer(…, backend="onnx")` does';
  throw new InputError(`${folders[0]} has no onnx/model${dtypeSuffixes[dtype]}.onnx for dtype ${dtype}; ${fix}`);
}

async function findGraph(folders: readonly string[], dtype: OnnxDtype): Promise<string | undefined> {
  const name = `model${dtypeSuffixes[dtype]}.onnx`;
  for (const folder of new Set(folders)) {
    for (const path of [join(folder, 'onnx', name), join(folder, name)]) if (await fileExists(path)) return path;
  }
  return undefined;
}

async function requiredJson(folder: string, name: string, advice: string): Promise<Json> {
  const json = await readJson(join(folder, name));
  if (json === undefined) throw new InputError(`${folder} has no ${name}; ${advice}`);
  return json;
}

/** Returns undefined if there is no such file. */
async function readJson(file: string): Promise<Json | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new InputError(`${file} cannot be read: ${message}`, { cause });
  }
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== 'object' || json === null) throw new SyntaxError('it is not an object');
    return json as Json;
  } catch (cause) {
    throw new CorruptFileError(
      `${file} is not valid JSON (${(cause as Error).message}); it is damaged or incomplete, so fetch or save it again`,
      { cause },
    );
  }
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
