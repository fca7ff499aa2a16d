import { basename, extname } from 'node:path';
import { type CallOptions, InputError, InvalidArgumentError } from '@rarefy/core';
import { type Completion, lengthReward, type NamedReward, recordedReward, rewardModelReward } from '@rarefy/grpo';
import { loadLanguageModel, rewardModel, weightsDigest } from '@rarefy/lm';
import { didYouMean } from '../shell/did-you-mean.js';
import { isCodeFile } from '../shell/options.js';
import { exportedFunction } from './factory.js';
import { importFile } from './import-file.js';
import { checkpointFolder } from './model.js';

export interface OpenReward extends NamedReward {
  /** What a resumed run must share: options, or the digest of a file's code or a model's weights. */
  readonly identity: string;
  /** Frees a model. */
  dispose?(): void;
}

export interface RewardValues {
  /** Each `model`, `length`, `recorded` or the path of a file, as in `name=./reward.ts:0.5`; name and weight are optional. */
  readonly reward: readonly string[];
  readonly rewardModel: string;
  readonly rewardWords: number;
  /** Whether the run learns from recorded answers; `recorded` is then the default reward, and needs it. Default false. */
  readonly offline?: boolean;
}

/**
 * Opens the rewards of a run. The default export of a file, or its only function, is called with the completions and call options.
 * It returns one number per completion, or a promise of them.
 * @throws InvalidArgumentError if two rewards have the same name; InputError for a file or a model that is not valid.
 */
export async function openRewards(values: RewardValues): Promise<OpenReward[]> {
  const { reward, rewardModel: folder, rewardWords, offline = false } = values;
  const rewards: OpenReward[] = [];
  for (const text of reward.length > 0 ? reward : [offline ? 'recorded' : 'model']) {
    const { name, source, weight } = parseReward(text);
    if (source === 'recorded' && !offline) {
      throw new InvalidArgumentError('--reward recorded scores the answers of --pairs, so it needs --offline.');
    }
    if (rewards.some((other) => other.name === name)) {
      throw new InvalidArgumentError(
        `two rewards have the name ${name}; name them apart, as in --reward NAME=${source}`,
      );
    }
    const opened =
      source === 'model'
        ? await openRewardModel(folder)
        : source === 'length'
          ? { reward: lengthReward({ target: rewardWords }), identity: `length ${rewardWords}` }
          : source === 'recorded'
            ? { reward: recordedReward(), identity: source }
            : await openRewardFile(source);
    rewards.push({ name, weight, ...opened });
  }
  return rewards;
}

/** The parts of `name=source:weight`. */
export function parseReward(text: string): { name: string; source: string; weight: number } {
  const pattern = /^(?:(?<name>[\w-]+)=)?(?<source>.+?)(?::(?<weight>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?))?$/i;
  const { name, source = text, weight } = pattern.exec(text)?.groups ?? {};
  const ownName = source === 'model' ? 'reward_model' : basename(source, extname(source));
  return { name: name ?? ownName, source, weight: weight === undefined ? 1 : Number(weight) };
}

async function openRewardModel(named: string): Promise<Pick<OpenReward, 'reward' | 'identity' | 'dispose'>> {
  const folder = await checkpointFolder(named);
  const { model, tokenizer, extra } = await loadLanguageModel(folder);
  if (extra.size === 0) {
    throw new InputError(`${folder} is not a reward model (it has no score.weight); train one with: rarefy train rm`);
  }
  const reward = rewardModel(model, extra);
  return {
    reward: rewardModelReward({ reward, tokenizer }),
    identity: await weightsDigest(model),
    dispose: () => reward.dispose(),
  };
}

async function openRewardFile(file: string): Promise<Pick<OpenReward, 'reward' | 'identity'>> {
  if (!isCodeFile(file)) {
    throw new InvalidArgumentError(
      `--reward must be model, length, recorded, or a .ts or .js file; got ${JSON.stringify(file)}.${didYouMean(file, ['model', 'length', 'recorded'])}`,
    );
  }
  const imported = await importFile(file);
  const score = exportedFunction(imported, file);
  return {
    identity: imported.digest,
    reward: async (completions: readonly Completion[], options?: CallOptions) => {
      const values = await score(completions, options);
      if (typeof values === 'object' && values !== null && 'length' in values) {
        return Float64Array.from(values as ArrayLike<number>);
      }
      throw new InputError(`the function of ${file} returned ${String(values)}; expected one number per completion.`);
    },
  };
}
