import { type CallOptions, InputError, InvalidArgumentError } from '@rarefy/core';
import type { Completion, Treatment } from '@rarefy/grpo';
import { checkApplies } from '../shell/check-options.js';
import { choice, list, number, text } from '../shell/define-option.js';
import { didYouMean } from '../shell/did-you-mean.js';
import { defined, isCodeFile, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { called, exportedFunction } from './factory.js';

/** The treatments by name, and the options that apply to each. */
const takers = {
  'focal-difficulty': { takes: ['focal-gamma', 'treatment-low', 'treatment-high'] },
  'inverse-probability': { takes: ['outcome', 'treatment-low'] },
  'completion-density': { takes: ['completion-embedder', 'treatment-low'] },
} as const;
const names = Object.keys(takers) as (keyof typeof takers)[];

/** How `rarefy train grpo` changes rewards and advantages to keep more kinds of answers. */
export const treatmentOptions = under('Rewards', {
  treatment: list(
    'name',
    `Change rewards or advantages to keep rare answers: ${names.join(', ')}, or the path of a TypeScript or JavaScript file whose function returns a treatment. Several apply in order`,
  ),
  'focal-gamma': number('Strength of focal-difficulty; default 0.5', { min: 0 }),
  outcome: text(
    'file',
    'File whose function returns the outcome of a completion, a text; inverse-probability needs it',
  ),
  'completion-embedder': choice(
    ['use', 'onnx', 'hash'],
    'Embedder of completion-density, or the file of one; default use',
    { orFile: true },
  ),
  'treatment-low': number('Smallest possible reward, of all treatments; default 0'),
  'treatment-high': number('Reward of a success for focal-difficulty; default 1'),
} as const satisfies OptionDefinitions);

type TreatmentValues = OptionValues<typeof treatmentOptions> & { readonly backend: string | undefined };

export interface OpenTreatments {
  readonly treatments: readonly Treatment[];
  /** Digests of the files, which a resumed run must share. */
  readonly digests: readonly string[];
  dispose(): Promise<void>;
}

/**
 * The treatments that the options choose.
 * @throws InvalidArgumentError for an option that would be ignored, or one that is missing; InputError for a file that is not
 *   valid.
 */
export async function openTreatments(
  values: TreatmentValues,
  given: ReadonlySet<string>,
  options: CallOptions,
): Promise<OpenTreatments> {
  const { treatment: chosen, focalGamma: gamma, treatmentLow: low, treatmentHigh: high } = values;
  checkApplies(given, 'treatment', takers, chosen.length > 0 ? chosen : ['none']);
  const { completionDensity, focalDifficulty, inverseProbability } = await import('@rarefy/grpo');
  const { importFile } = await import('./import-file.js');
  const digests: string[] = [];
  const embedders: AsyncDisposable[] = [];
  const functionOf = async (file: string) => {
    const imported = await importFile(file);
    digests.push(imported.digest);
    return exportedFunction(imported, file);
  };
  const create = {
    'focal-difficulty': async () => focalDifficulty(defined({ gamma, low, high })),
    async 'inverse-probability'() {
      const { outcome: file } = values;
      if (file === undefined) {
        throw new InvalidArgumentError(
          '--treatment inverse-probability needs --outcome, a file whose function returns the outcome of a completion.',
        );
      }
      const outcomeOf = await functionOf(file);
      const outcome = (completion: Completion) => {
        const text = outcomeOf(completion);
        if (typeof text === 'string') return text;
        throw new InputError(`the function of ${file} returned ${String(text)}; expected the outcome as a text.`);
      };
      return inverseProbability({ outcome, ...defined({ low }) });
    },
    async 'completion-density'() {
      const { openNamedEmbedder } = await import('./embedder.js');
      const opened = await openNamedEmbedder(values.completionEmbedder ?? 'use', values.backend, options);
      embedders.push(opened.embedder);
      return completionDensity({ embedder: opened.embedder, ...defined({ low }) });
    },
  };
  const treatments: Treatment[] = [];
  for (const name of chosen) {
    if (!isCodeFile(name) && !Object.hasOwn(create, name)) {
      throw new InvalidArgumentError(
        `--treatment must be one of ${names.join(', ')}, or a .ts or .js file; got ${name}.${didYouMean(name, names)}`,
      );
    }
    treatments.push(
      isCodeFile(name)
        ? ((await called(await functionOf(name), name, [], 'without arguments', ofTreatment)) as Treatment)
        : await create[name as keyof typeof create](),
    );
  }
  return {
    treatments,
    digests,
    async dispose() {
      for (const embedder of embedders) await embedder[Symbol.asyncDispose]();
    },
  };
}

const ofTreatment = 'It must return a treatment, { name, settings, rewards } or { name, settings, scale }';
