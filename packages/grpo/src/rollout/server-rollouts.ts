import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkServiceLimits,
  counterRandom,
  InputError,
  InvalidArgumentError,
  inParallel,
  type JsonService,
  postJson,
  serviceAddress,
  shown,
} from '@rarefy/core';
import {
  type CompletionApiName,
  type CompletionRequest,
  completionApis,
  type ServedCompletion,
  UnusableAnswer,
} from './completion-apis.js';
import { promptsOfRollout, type Rollout, type RolloutOptions, type RolloutPrompt } from './rollout.js';
import type { RolloutPolicy, RolloutSource } from './rollout-source.js';
import { checkHandover, handoverNames, servedWeights, type WeightHandover } from './served-weights.js';

export interface ServerRolloutsOptions {
  /** Address of the API, such as `http://localhost:8000/v1`; of an SGLang server without `/v1`. Redirects are errors. */
  readonly url: string;
  /** Name of the model at the server. */
  readonly model: string;
  /** `openai` (default): `POST completions` below `url`, of vLLM or llama.cpp. `sglang`: `POST generate` of SGLang. */
  readonly api?: CompletionApiName;
  /** Sent as `Authorization: Bearer …`. Never appears in an error, event or checkpoint. */
  readonly apiKey?: string;
  /** How the server gets the weights of the policy; default: it keeps those that it has. */
  readonly weights?: WeightHandover;
  /**
   * Most training steps since the server's weights were those of the policy, an integer ≥ 0; default: what `weights.everySteps`
   * gives, or 0 without `weights`. A training step is `numIterations` · `stepsPerGeneration` optimizer steps.
   */
  readonly maxStaleness?: number;
  /** Largest mean difference of log-probabilities between server and policy when they are compared; default 0.1. */
  readonly tolerance?: number;
  /** The prompt of that comparison; default a sentence in English. */
  readonly checkPrompt?: string;
  /** Completions per request, an integer ≥ 1; default all of a prompt. SGLang, and servers that ignore `n`: 1. */
  readonly completionsPerRequest?: number;
  /** Requests at the same time, an integer ≥ 1; default 32. */
  readonly maxConcurrency?: number;
  /** Attempts per request, including the first, an integer ≥ 1; default 10. */
  readonly maxAttempts?: number;
  /** Time limit of one attempt, until the last byte of its answer, in ms; default 300,000. */
  readonly attemptTimeoutMs?: number;
  /** Time limit of a request with all its attempts and waits, in ms; default 1,800,000. */
  readonly deadlineMs?: number;
}

const optionNames = [
  'url',
  'model',
  'api',
  'apiKey',
  'weights',
  'maxStaleness',
  'tolerance',
  'checkPrompt',
  'completionsPerRequest',
  'maxConcurrency',
  'maxAttempts',
  'attemptTimeoutMs',
  'deadlineMs',
] as const satisfies readonly (keyof ServerRolloutsOptions)[];

/** Most bytes of an answer: its numbers, texts and the candidates that servers add, several times over. */
const bytesPerToken = 2048;
const bytesPerAnswer = 2 ** 16;

/** Completions that are compared, and most tokens of each. */
const probeCount = 4;
const probeLength = 32;
const probeSeed = 0;

/**
 * Completions from a server with an API like OpenAI's (vLLM, llama.cpp) or SGLang's. Prompts go as token ids, and answers must have
 * the ids of the sampled tokens and their log-probabilities, from which `trainGrpo` corrects for the difference between server and
 * policy.
 *
 * The seed of a completion depends on the run's seed and its draw only. Retries after a broken connection, a timeout, status 408,
 * 429 or 5xx (but not 501 and 505), and an answer that is cut off; a retry has the same seed. As deterministic as the server.
 *
 * Before the first step, and whenever the server gets other weights, the server and the policy must agree on the log-probabilities
 * of completions of a fixed prompt. Metrics: `rollout/staleness`, training steps since the server's weights were those of the
 * policy, and `rollout/weights_difference`, the mean difference of these log-probabilities; NaN if not compared in the step.
 * @throws InvalidArgumentError if an option is unknown, missing or out of range. Rollouts throw InputError if the server refuses,
 *   sends an answer without what is needed, or still fails after the last attempt or the deadline; TrainingError if it has other
 *   weights than the policy; StateMismatchError if a resumed run needs a folder of `weights` that is gone.
 */
export function serverRollouts(options: ServerRolloutsOptions): RolloutSource {
  checkOptions(options, optionNames, 'serverRollouts');
  const { model, api: apiName = 'openai', apiKey, weights, tolerance = 0.1 } = options;
  const { checkPrompt = 'Write one sentence about the sea.', completionsPerRequest, maxConcurrency = 32 } = options;
  const { maxAttempts = 10, attemptTimeoutMs = 300_000, deadlineMs = 1_800_000 } = options;
  if (typeof model !== 'string' || model === '') {
    throw new InvalidArgumentError('serverRollouts needs `model`, the name of the model at the server');
  }
  if (!Object.hasOwn(completionApis, apiName)) {
    throw new InvalidArgumentError(
      `api must be one of ${Object.keys(completionApis).join(', ')}, got ${shown(apiName)}`,
    );
  }
  const api = completionApis[apiName];
  checkNumber('tolerance', tolerance, 0);
  checkInteger('maxConcurrency', maxConcurrency, 1);
  if (completionsPerRequest !== undefined) checkInteger('completionsPerRequest', completionsPerRequest, 1);
  checkServiceLimits({ maxAttempts, attemptTimeoutMs, deadlineMs });
  if (weights !== undefined) {
    checkHandover(checkOptions(weights, handoverNames, 'weights'));
    if (weights.everySteps !== undefined) checkInteger('weights.everySteps', weights.everySteps, 1);
  }
  const { everySteps = 1 } = weights ?? {};
  const { maxStaleness = everySteps - 1 } = options;
  checkInteger('maxStaleness', maxStaleness, 0);
  if (maxStaleness < everySteps - 1) {
    throw new InvalidArgumentError(
      `weights.everySteps ${everySteps} makes weights ${everySteps - 1} steps old, above maxStaleness ${maxStaleness}; change one of them`,
    );
  }
  const url = serviceAddress(options.url, apiKey, api.path);
  const limits = { maxAttempts, attemptTimeoutMs, deadlineMs };
  const service: JsonService = { url, apiKey, ...limits, checks: 'address, model and key' };

  async function generated(
    policy: RolloutPolicy,
    prompts: readonly RolloutPrompt[],
    rolloutOptions: RolloutOptions,
  ): Promise<Rollout> {
    const { promptIds, stopIds, completionOf } = promptsOfRollout(policy, prompts, rolloutOptions);
    const { groupSize, maxCompletionLength, first, seed, signal, onEvent } = rolloutOptions;
    const { temperature = 1, topK = 0, topP = 1 } = rolloutOptions;
    const perRequest = api.canRepeat ? (completionsPerRequest ?? groupSize) : 1;
    const requests = promptIds.flatMap((ids, index) =>
      Array.from({ length: Math.ceil(groupSize / perRequest) }, (_, part): CompletionRequest => {
        const member = part * perRequest;
        return {
          ...{ model, promptIds: ids, count: Math.min(perRequest, groupSize - member), maxTokens: maxCompletionLength },
          ...{ temperature, topK, topP, seed: requestSeed(seed, (first + index) * groupSize + member) },
          ...{ stopIds, vocabularySize: policy.model.description.vocabularySize },
        };
      }),
    );
    const answers = await inParallel(requests, maxConcurrency, signal, (request, either) =>
      complete(request, { signal: either, onEvent }),
    );
    const completions = answers.flat().map((generated, row) => ({
      ...completionOf(generated, row),
      logProbabilities: generated.logProbabilities,
    }));
    return { completions, promptIds, groupSize };
  }

  async function complete(
    request: CompletionRequest,
    call: Pick<RolloutOptions, 'signal' | 'onEvent'>,
  ): Promise<readonly ServedCompletion[]> {
    const { completions, problem } = await postJson(service, {
      ...call,
      task: 'rollout',
      body: api.body(request),
      maxBytes: bytesPerAnswer + bytesPerToken * request.count * request.maxTokens,
      read(answer) {
        try {
          return { completions: api.read(answer, request), problem: undefined };
        } catch (error) {
          if (error instanceof UnusableAnswer) return { completions: [], problem: error.message };
          throw error;
        }
      },
    });
    if (problem !== undefined) throw new InputError(`${url} answered, but the answer ${problem}`);
    return completions;
  }

  const served = servedWeights({
    ...{ url, handover: weights && { ...weights, everySteps }, maxStaleness, tolerance },
    probe: (policy, { steps, topK, topP, ...step }) =>
      generated(policy, [{ prompt: checkPrompt, position: 0 }], {
        ...{ ...step, groupSize: probeCount, first: 0, seed: probeSeed },
        maxCompletionLength: Math.min(probeLength, step.maxCompletionLength),
      }),
  });
  return {
    name: 'server',
    settings: {
      ...{ api: apiName, model, completionsPerRequest: api.canRepeat ? completionsPerRequest : 1 },
      ...{ everySteps: weights && everySteps, maxStaleness },
    },
    rollout: generated,
    ...served,
  };
}

/** A seed in [0, 2^31), by the stream alone: a request that is tried again has the same one. */
function requestSeed(seed: number, stream: number): number {
  return Math.floor(counterRandom(seed).fork(stream).uniform(0) * 2 ** 31);
}
