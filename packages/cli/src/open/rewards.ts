import { basename, extname, join } from 'node:path';
import { type CallOptions, InputError, InvalidArgumentError } from '@rarefy/core';
import type { Completion, NamedReward } from '@rarefy/grpo';
import { checkApplies } from '../shell/check-options.js';
import { choice, integer, list, text } from '../shell/define-option.js';
import { didYouMean } from '../shell/did-you-mean.js';
import { defined, isCodeFile, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { exportedFunction } from './factory.js';
import { serviceLimits, serviceOptions } from './service-options.js';

const limitOptions = serviceOptions('reward', {
  ...{ 'max-concurrency': 4, 'max-attempts': 10, 'attempt-timeout-ms': 60_000, 'deadline-ms': 600_000 },
});

/** The rewards of `rarefy train grpo`. */
export const rewardOptions = under('Rewards', {
  reward: list(
    'name=source:weight',
    'Reward: model, length, recorded (with --offline: 1 for a chosen and 0 for a rejected answer), the folder of a reward model, the address of a service, or the path of a TypeScript or JavaScript file whose function scores completions; name and weight are optional. Rewards are added. Default model, with --offline recorded',
  ),
  'reward-model': text('rm|path', 'Reward model of --reward model', { default: 'rm' }),
  'reward-too-long': choice(
    ['cut', 'null', 'error'],
    'Completions that do not fit in a reward model: scored without their end (default), no reward, or an error',
  ),
  'reward-words': integer('Words that --reward length prefers', { default: 40, min: 1 }),
  'reward-batch-size': integer(
    'Completions per forward pass of a reward model (default 32), or per request of a service (default 64)',
    { min: 1 },
  ),
  'reward-key-env': list(
    'name=VARIABLE',
    'Environment variable with the key of the service of a reward; without a name, of all services',
  ),
  ...limitOptions,
} as const satisfies OptionDefinitions);

const ofModel = { takes: ['reward-model', 'reward-too-long', 'reward-batch-size'] };
const takers = {
  model: ofModel,
  'a folder': { takes: ofModel.takes.slice(1) },
  length: { takes: ['reward-words'] },
  recorded: { takes: [] },
  'a service': { takes: ['reward-key-env', 'reward-batch-size', ...Object.keys(limitOptions)] },
  'a file': { takes: [] },
} satisfies Parameters<typeof checkApplies>[2];
type Kind = keyof typeof takers;

export interface OpenReward extends Required<NamedReward> {
  /** What a resumed run must share: options, or the digest of a file's code or a model's weights. */
  readonly identity: string;
  /** Frees a model. */
  dispose?(): void;
}

type Opened = Pick<OpenReward, 'reward' | 'identity' | 'dispose'>;
type RewardValues = OptionValues<typeof rewardOptions> & {
  /** Whether the run learns from recorded answers; `recorded` is then the default reward, and needs it. Default false. */
  readonly offline?: boolean;
};

/**
 * Opens the rewards of a run. The default export of a file, or its only function, is called with the completions and call options.
 * It returns one number per completion, or a promise of them.
 * @throws InvalidArgumentError if two rewards have the same name, or an option would be ignored; InputError for a file or a model
 *   that is not valid.
 */
export async function openRewards(values: RewardValues, given: ReadonlySet<string>): Promise<OpenReward[]> {
  const parsed = (values.reward.length > 0 ? values.reward : [values.offline ? 'recorded' : 'model']).map(parseReward);
  if (!values.offline && parsed.some(({ source }) => source === 'recorded')) {
    throw new InvalidArgumentError('--reward recorded scores the answers of --pairs, so it needs --offline.');
  }
  const kinds = await Promise.all(parsed.map(({ source }) => kindOf(source)));
  checkApplies(given, 'reward', takers, [...new Set(kinds)]);
  const rewards: OpenReward[] = [];
  for (const [index, { name, source, weight }] of parsed.entries()) {
    if (rewards.some((other) => other.name === name)) {
      throw new InvalidArgumentError(
        `two rewards have the name ${name}; name them apart, as in --reward NAME=${source}`,
      );
    }
    rewards.push({ name, weight, ...(await openers[kinds[index]!](source, values, name)) });
  }
  return rewards;
}

/** The parts of `name=source:weight`. A number after the host of an address is its port. */
export function parseReward(text: string): { name: string; source: string; weight: number } {
  const address = String.raw`https?:\/\/(?:\[[^\]]*\]|[^/:[]+)(?::\d+)?(?:\/.*?)?`;
  const number = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?`;
  const pattern = new RegExp(`^(?:(?<name>[\\w-]+)=)?(?<source>${address}|.+?)(?::(?<weight>${number}))?$`, 'i');
  const { name, source = text, weight } = pattern.exec(text)?.groups ?? {};
  const ownName = source === 'model' ? 'reward_model' : basename(source, isAddress(source) ? '' : extname(source));
  return { name: name ?? ownName, source, weight: weight === undefined ? 1 : Number(weight) };
}

const isAddress = (source: string) => /^https?:\/\//i.test(source);

async function kindOf(source: string): Promise<Kind> {
  if (source === 'model' || source === 'length' || source === 'recorded') return source;
  if (isAddress(source)) return 'a service';
  if (isCodeFile(source)) return 'a file';
  const { fileExists } = await import('@rarefy/io');
  if (await fileExists(join(source, 'config.json'))) return 'a folder';
  throw new InvalidArgumentError(
    `--reward must be model, length, recorded, the folder of a reward model, the address of a service, or a .ts or .js file; got ${JSON.stringify(source)}.${didYouMean(source, ['model', 'length', 'recorded'])}`,
  );
}

const openers: Readonly<Record<Kind, (source: string, values: RewardValues, name: string) => Promise<Opened>>> = {
  model: (_, values) => openRewardModel(values.rewardModel, values),
  'a folder': openRewardModel,
  'a file': openRewardFile,
  async length(_, { rewardWords: target }) {
    const { lengthReward } = await import('@rarefy/grpo');
    return { reward: lengthReward({ target }), identity: `length ${target}` };
  },
  async recorded(source) {
    const { recordedReward } = await import('@rarefy/grpo');
    return { reward: recordedReward(), identity: source };
  },
  async 'a service'(url, values, name) {
    const { httpReward } = await import('@rarefy/grpo');
    const apiKey = keyOf(values.rewardKeyEnv, name);
    const batchSize = values.rewardBatchSize;
    const reward = httpReward({ url, ...serviceLimits('reward', values), ...defined({ apiKey, batchSize }) });
    return { reward, identity: url };
  },
};

/** The key of a reward, in the variable given for its name, or for no name. */
function keyOf(given: readonly string[], name: string): string | undefined {
  const own = given.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
  const variable = own ?? given.find((text) => !text.includes('='));
  if (variable === undefined || process.env[variable]) return variable && process.env[variable];
  throw new InvalidArgumentError(`--reward-key-env names the environment variable ${variable}, which is not set.`);
}

async function openRewardModel(named: string, values: RewardValues): Promise<Opened> {
  const { rewardModelReward } = await import('@rarefy/grpo');
  const { loadLanguageModel, rewardModel, weightsDigest } = await import('@rarefy/lm');
  const { checkpointFolder } = await import('./model.js');
  const folder = await checkpointFolder(named);
  const { model, tokenizer, extra } = await loadLanguageModel(folder);
  if (extra.size === 0) {
    throw new InputError(`${folder} is not a reward model (it has no score.weight); train one with: rarefy train rm`);
  }
  const reward = rewardModel(model, extra);
  const { rewardBatchSize: batchSize, rewardTooLong: tooLong } = values;
  return {
    reward: rewardModelReward({ reward, tokenizer }, defined({ batchSize, tooLong })),
    identity: `${await weightsDigest(model)}${tooLong === undefined ? '' : ` ${tooLong}`}`,
    dispose: () => reward.dispose(),
  };
}

async function openRewardFile(file: string): Promise<Opened> {
  const { importFile } = await import('./import-file.js');
  const imported = await importFile(file);
  const score = exportedFunction(imported, file);
  return {
    identity: imported.digest,
    reward: async (completions: readonly Completion[], options?: CallOptions) => {
      const values = await score(completions, options);
      if (typeof values === 'object' && values !== null && 'length' in values) {
        return Array.from(values as ArrayLike<number | null>);
      }
      throw new InputError(`the function of ${file} returned ${String(values)}; expected one number per completion.`);
    },
  };
}
