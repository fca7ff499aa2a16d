import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@rarefy/core';
import { pulledModelFolder } from '@rarefy/data';
import { latestCheckpoint } from '@rarefy/lm';

/** Stages that have a folder of their own below `out`, where `rarefy train` puts them. */
const stages = ['base', 'sft', 'rm', 'grpo'];

/**
 * The model folder that a name on the command line means: a stage's folder or a path; the newest checkpoint of a run that is not
 * finished; a GGUF file; or the name of a model that was pulled.
 * @throws InputError when no model lies there.
 */
export async function checkpointFolder(checkpoint: string): Promise<string> {
  if (checkpoint.endsWith('.gguf') && (await exists(checkpoint))) return checkpoint;
  const folder = stages.includes(checkpoint) ? join('out', checkpoint) : checkpoint;
  if (await exists(join(folder, 'config.json'))) return folder;
  const latest = await latestCheckpoint(join(folder, 'checkpoints'));
  if (latest !== undefined) return latest;
  const pulled = await pulledModelFolder(checkpoint);
  if (pulled !== undefined) return pulled;
  const fix = stages.includes(checkpoint)
    ? `train it with: rarefy train ${checkpoint}; or name a folder`
    : 'name a folder';
  throw new InputError(
    `there is no model in ${folder}; ${fix} with config.json, model.safetensors and tokenizer.json, or a .gguf file.`,
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
