import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';
import { fileExists, writeAtomically, writeJsonl } from '@rarefy/io';
import type { EvaluatedAnswer, Evaluation, RunCosts } from './run-record.js';

/** Where the files of an experiment are. */
export const experimentPaths = {
  heldOut: (folder: string) => join(folder, 'held-out.jsonl'),
  density: (folder: string, name: string) => join(folder, 'density', `${name}.jsonl`),
  heldOutDensity: (folder: string) => join(folder, 'density', 'held-out', 'density.jsonl'),
  commonness: (folder: string, rarity: string) => join(folder, 'density', 'commonness', `${rarity}.jsonl`),
  start: (folder: string) => join(folder, 'start', 'answers.jsonl'),
  run: (folder: string, arm: string, seed: number) => join(folder, 'runs', arm, String(seed)),
};

/** Where the files of a run are, in the folder of the run. */
export const runPaths = {
  config: (run: string) => join(run, 'run.json'),
  metrics: (run: string) => join(run, 'metrics.jsonl'),
  spent: (run: string) => join(run, 'spent.json'),
  done: (run: string) => join(run, 'done.json'),
  lock: (run: string) => join(run, 'run.lock'),
  answers: (run: string) => join(run, 'answers'),
  answersOf: (run: string, step: number) => join(run, 'answers', `step-${String(step).padStart(6, '0')}.jsonl`),
};

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomically(path, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
}

/** Undefined if there is no file. @throws CorruptFileError if it is damaged. */
export async function readJson<Value>(path: string): Promise<Value | undefined> {
  if (!(await fileExists(path))) return undefined;
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Value;
  } catch (cause) {
    throw new CorruptFileError(`${path} is damaged`, { cause });
  }
}

/** @throws InputError if there is no file; CorruptFileError naming the first line that is damaged. */
export async function readLines<Value>(path: string): Promise<Value[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`cannot read ${path}`, { cause });
  });
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, index) => {
      try {
        return JSON.parse(line) as Value;
      } catch (cause) {
        throw new CorruptFileError(`line ${index + 1} of ${path} is damaged`, { cause });
      }
    });
}

/** One line per item: its id, and its value. */
export async function writeValues(path: string, ids: readonly string[], values: ArrayLike<number>): Promise<void> {
  await writeJsonl(
    path,
    ids.map((id, index) => ({ id, value: values[index]! })),
  );
}

export async function readValues(path: string): Promise<Float64Array> {
  return Float64Array.from((await readLines<{ readonly value: number }>(path)).map(({ value }) => value));
}

export async function writeEvaluation(path: string, { answers }: Evaluation): Promise<void> {
  await writeJsonl(path, answers);
}

/** A reward that does not apply is null in the file, and NaN in memory. */
export async function readEvaluation(path: string, step: number): Promise<Evaluation> {
  const lines = await readLines<EvaluatedAnswer & { readonly reward: number | null }>(path);
  return { step, answers: lines.map((answer) => ({ ...answer, reward: answer.reward ?? Number.NaN })) };
}

/** What a finished run cost; undefined if it is not finished. */
export const readCosts = (run: string) => readJson<RunCosts>(runPaths.done(run));
