import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CorruptFileError, InputError } from '@rarefy/core';
import { readSafetensors, sha256File, toFloat32, writeAtomically, writeSafetensors } from '@rarefy/io';
import { checkpointFolders, checkpointsName, type SavedModel, saveLanguageModel, tensorsOf } from '@rarefy/lm';
import type * as tf from '@tensorflow/tfjs-core';
import type { AdamWState } from '../optimizer/adamw.js';

/** What a run needs to resume, except the weights, which are in the model files of the same folder. */
interface TrainingState {
  /** Number of finished steps. */
  readonly step: number;
  readonly optimizer: AdamWState;
  /** State of the trainer as JSON: settings that must not change, state of loader and sampler. */
  readonly state: unknown;
}

/** What {@link saveTrainingCheckpoint} writes besides the model. */
interface SavedTrainingState extends TrainingState {
  /** Further weights, by the name of their file without `.safetensors`. */
  readonly besides?: Readonly<Record<string, Readonly<Record<string, tf.Variable>>>>;
}

const stateFile = 'trainer.json';
const optimizerFile = 'optimizer.safetensors';
/** Name of the folder of a step's checkpoint. */
export const stepFolder = (step: number) => `step-${String(step).padStart(6, '0')}`;

/**
 * Saves a checkpoint as `<folder>/step-000010`, whole or not at all: writes it to another name, adds checksums and renames it.
 * Then removes all but the newest `keep` checkpoints and that of step `best`.
 */
export async function saveTrainingCheckpoint(
  folder: string,
  model: SavedModel,
  { step, optimizer, besides = {}, state }: SavedTrainingState,
  { keep = 2, best }: { readonly keep?: number | undefined; readonly best?: number | undefined } = {},
): Promise<string> {
  const target = join(folder, stepFolder(step));
  const draft = `${target}.tmp`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  await saveLanguageModel(draft, model);
  const tensors = Object.entries(optimizer.tensors).map(
    ([name, data]) => [name, { dtype: 'F32' as const, shape: [data.length], data }] as const,
  );
  await writeSafetensors(join(draft, optimizerFile), Object.fromEntries(tensors), { step: String(optimizer.step) });
  for (const [name, variables] of Object.entries(besides)) {
    await writeSafetensors(join(draft, `${name}.safetensors`), await tensorsOf(variables));
  }
  const files: Record<string, string> = {};
  for (const name of (await readdir(draft)).sort()) files[name] = await sha256File(join(draft, name));
  const body = { version: 1, step, state, files };
  const text = `${JSON.stringify({ ...body, checksum: checksum(body) }, null, 2)}
`;
  await writeAtomically(join(draft, stateFile), Buffer.from(text));
  await rm(target, { recursive: true, force: true });
  await rename(draft, target);
  await syncFolder(folder);
  for (const old of (await checkpointFolders(folder)).slice(0, -keep)) {
    if (best === undefined || basename(old) !== stepFolder(best)) await rm(old, { recursive: true, force: true });
  }
  return target;
}

/**
 * Path of the newest checkpoint in a folder; undefined if there is none. Incomplete checkpoints do not count.
 * @param folder `checkpoints` in the folder of a run
 * @throws InputError if it is the folder of a run itself.
 */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  const newest = (await checkpointFolders(folder)).at(-1);
  const inner = join(folder, checkpointsName);
  if (newest === undefined && (await checkpointFolders(inner)).length > 0) {
    throw new InputError(`${folder} is the folder of a run; its checkpoints are in ${inner}: give that folder`);
  }
  return newest;
}

/**
 * Reads what {@link saveTrainingCheckpoint} wrote, except the model.
 * @throws InputError if there is no checkpoint; CorruptFileError if any of its files is damaged or missing.
 */
export async function loadTrainingState(checkpoint: string): Promise<TrainingState> {
  const path = join(checkpoint, stateFile);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`cannot read ${path}: ${checkpoint} is not a training checkpoint`, { cause });
  });
  const saved = parseState(text, path);
  for (const [name, expected] of Object.entries(saved.files)) {
    if (basename(name) !== name)
      throw new CorruptFileError(`${path} lists a file outside its folder: ${JSON.stringify(name)}`);
    const actual = await sha256File(join(checkpoint, name)).catch(() => 'missing');
    if (actual !== expected) {
      throw new CorruptFileError(
        `${join(checkpoint, name)} is damaged (its checksum differs); remove ${checkpoint} to resume from an earlier checkpoint`,
      );
    }
  }
  const { tensors, metadata } = await readSafetensors(join(checkpoint, optimizerFile));
  const moments = Object.fromEntries([...tensors].map(([name, tensor]) => [name, toFloat32(tensor)]));
  return { step: saved.step, state: saved.state, optimizer: { step: Number(metadata.step), tensors: moments } };
}

function parseState(text: string, path: string): { step: number; state: unknown; files: Record<string, string> } {
  try {
    const { checksum: expected, ...body } = JSON.parse(text);
    if (body.version === 1 && checksum(body) === expected) return body;
  } catch {
    // reported below
  }
  throw new CorruptFileError(`${path} is damaged; remove ${dirname(path)} to resume from an earlier checkpoint`);
}

/** Checksum of the content of `trainer.json` itself, which holds the checksums of the other files. */
function checksum(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
