import { resolve } from 'node:path';
import { InvalidArgumentError } from '@rarefy/core';
import { flag, integer, list, number } from '../shell/define-option.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import type { OpenModel } from './model.js';

/** What a training run changes of its model, and what it keeps in memory. */
export const adapterOptions = under('Training', {
  'lora-rank': integer(
    'Train low-rank updates of this rank (LoRA) and no other weight; the run then saves an adapter of PEFT',
    { min: 1 },
  ),
  'lora-alpha': number('The updates are multiplied by this number / --lora-rank; default twice the rank', { min: 0 }),
  'lora-targets': list(
    'name',
    'Linear layers to update, by the last parts of their names, such as q_proj; default all',
  ),
  recompute: flag('Compute activations again in the backward pass in place of keeping them: less memory, more time'),
} as const satisfies OptionDefinitions);

type AdapterValues = OptionValues<typeof adapterOptions> & { readonly seed: number };

/**
 * The model that a run trains: `loaded` itself, or its weights with an adapter.
 * @throws InvalidArgumentError if an option of the adapter is given without its rank, or a target is not a layer of the model.
 */
export async function trainedModel(
  loaded: OpenModel,
  { loraRank, loraAlpha, loraTargets, recompute, seed }: AdapterValues,
): Promise<OpenModel> {
  if (loraRank === undefined && (loraAlpha !== undefined || loraTargets.length > 0)) {
    const option = loraAlpha === undefined ? 'lora-targets' : 'lora-alpha';
    throw new InvalidArgumentError(`--${option} applies only with --lora-rank; give the rank of the updates too.`);
  }
  const { lora, recomputed } = await import('@rarefy/lm');
  const adapted =
    loraRank === undefined
      ? loaded.model
      : lora(loaded.model, {
          ...{ rank: loraRank, seed, basePath: resolve(loaded.folder), ...defined({ alpha: loraAlpha }) },
          ...(loraTargets.length > 0 && { targets: loraTargets }),
        });
  return { ...loaded, model: recompute ? recomputed(adapted) : adapted };
}
