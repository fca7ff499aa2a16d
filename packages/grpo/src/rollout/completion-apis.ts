import { BadAnswer } from '@rarefy/core';

/** A request for completions of one prompt. */
export interface CompletionRequest {
  readonly model: string;
  readonly promptIds: Int32Array;
  /** Number of completions. */
  readonly count: number;
  readonly maxTokens: number;
  readonly temperature: number;
  /** 0: no limit. */
  readonly topK: number;
  readonly topP: number;
  /** In [0, 2^31). */
  readonly seed: number;
  readonly stopIds: readonly number[];
  /** Token ids are below this. */
  readonly vocabularySize: number;
}

/** One completion that a server generated. */
export interface ServedCompletion {
  /** Including the stop token. */
  readonly ids: Int32Array;
  /** Of each token; NaN if the server has none for it. */
  readonly logProbabilities: Float32Array;
  readonly terminated: boolean;
}

/** How a kind of server is asked for completions. */
interface CompletionApi {
  /** Path below the address of the API. */
  readonly path: string;
  /** Whether one request can ask for several completions that differ. */
  readonly canRepeat: boolean;
  readonly body: (request: CompletionRequest) => unknown;
  /** @throws BadAnswer if another attempt may help; UnusableAnswer if not. */
  readonly read: (answer: unknown, request: CompletionRequest) => readonly ServedCompletion[];
}

/** What every answer of the server will lack, with the remedy: the end of a sentence that begins with "the answer". */
export class UnusableAnswer extends Error {}

/** What a server says about one completion. */
interface RawCompletion {
  readonly ids: readonly unknown[];
  readonly values: readonly unknown[];
  readonly finish: unknown;
}

/**
 * The APIs by name. `openai` is `POST /v1/completions` with the token ids of vLLM or of llama.cpp's server; `sglang` is SGLang's
 * `POST /generate`, because its API like OpenAI's returns no token ids.
 */
export const completionApis = {
  openai: {
    path: 'completions',
    canRepeat: true,
    body: (request) => ({
      ...{ model: request.model, prompt: [...request.promptIds], n: request.count, max_tokens: request.maxTokens },
      ...{ temperature: request.temperature, top_p: request.topP, seed: request.seed, stream: false },
      // Servers have other defaults for these, some from the model's folder.
      ...{ top_k: request.topK === 0 ? -1 : request.topK, min_p: 0, repetition_penalty: 1, repeat_penalty: 1 },
      ...{ stop_token_ids: request.stopIds, skip_special_tokens: false },
      ...{ logprobs: 1, return_token_ids: true, return_tokens_as_token_ids: true },
    }),
    read(answer, request) {
      const { choices } = Object(answer) as { readonly choices?: unknown };
      if (!Array.isArray(choices)) throw new BadAnswer('has no list "choices"');
      const sorted = choices.every((choice) => Number.isInteger(Object(choice).index))
        ? [...choices].sort((one, other) => one.index - other.index)
        : choices;
      checkCount(sorted.length, request.count);
      return sorted.map((choice) => checked(rawChoice(Object(choice)), request));
    },
  },
  sglang: {
    path: 'generate',
    canRepeat: false, // all completions of a request have its seed
    body: ({ promptIds, maxTokens, temperature, topK, topP, seed, stopIds }) => ({
      input_ids: [...promptIds],
      sampling_params: {
        ...{ n: 1, max_new_tokens: maxTokens, temperature, top_k: topK === 0 ? -1 : topK, top_p: topP, min_p: 0 },
        ...{ repetition_penalty: 1, sampling_seed: seed, stop_token_ids: stopIds, skip_special_tokens: false },
      },
      ...{ return_logprob: true, stream: false },
    }),
    read(answer, request) {
      const list: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
      checkCount(list.length, request.count);
      return list.map((one) => checked(rawGenerated(Object(one)), request));
    },
  },
} as const satisfies Record<string, CompletionApi>;

export type CompletionApiName = keyof typeof completionApis;

function checkCount(found: number, wanted: number): void {
  if (found === wanted) return;
  throw new UnusableAnswer(
    `has ${found} completions, and ${wanted} were asked for; set completionsPerRequest to 1 if the server ignores "n"`,
  );
}

const howToGetTokenIds =
  'vLLM sends them if it knows return_token_ids, or started with --return-tokens-as-token-ids; SGLang with api "sglang"';

/** Token ids and log-probabilities in one of three formats: `token_ids`, tokens as `"token_id:5"` (vLLM), `content` (llama.cpp). */
function rawChoice({ token_ids, logprobs, finish_reason: finish }: Readonly<Record<string, unknown>>): RawCompletion {
  const { content, tokens, token_logprobs } = Object(logprobs) as Readonly<Record<string, unknown>>;
  if (Array.isArray(content)) {
    return {
      ids: content.map((entry) => Object(entry).id),
      values: content.map((entry) => Object(entry).logprob),
      finish,
    };
  }
  if (!Array.isArray(token_logprobs)) {
    throw new UnusableAnswer(
      'has no log-probabilities of the tokens ("logprobs.token_logprobs"); vLLM sends them unless it started with --max-logprobs 0, llama.cpp always, SGLang with api "sglang"',
    );
  }
  if (Array.isArray(token_ids)) return { ids: token_ids, values: token_logprobs, finish };
  const ids = Array.isArray(tokens) ? tokens.map((token) => /^token_id:(\d+)$/.exec(String(token))?.[1]) : [];
  if (ids.length === 0 || ids.includes(undefined)) {
    throw new UnusableAnswer(`has no token ids ("token_ids"); ${howToGetTokenIds}`);
  }
  return { ids: ids.map(Number), values: token_logprobs, finish };
}

/** SGLang's `output_token_logprobs`: `[log-probability, token id, text]` for each token. */
function rawGenerated({ meta_info }: Readonly<Record<string, unknown>>): RawCompletion {
  const { output_token_logprobs: pairs, finish_reason } = Object(meta_info) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(pairs)) {
    throw new UnusableAnswer(
      'has no log-probabilities of the tokens ("meta_info.output_token_logprobs"); check that url is the address of an SGLang server, such as http://localhost:30000',
    );
  }
  const column = (index: number) => pairs.map((pair: unknown) => (Array.isArray(pair) ? pair[index] : undefined));
  return { ids: column(1), values: column(0), finish: Object(finish_reason).type };
}

function checked({ ids, values, finish }: RawCompletion, request: CompletionRequest): ServedCompletion {
  const { maxTokens, vocabularySize, stopIds } = request;
  if (finish !== 'stop' && finish !== 'length') {
    throw new BadAnswer(`has a completion that ended with the reason ${JSON.stringify(finish) ?? 'none'}`);
  }
  if (ids.length === 0) throw new UnusableAnswer('has a completion without tokens, not even a stop token');
  if (values.length !== ids.length) {
    throw new UnusableAnswer(`has ${values.length} log-probabilities for a completion of ${ids.length} tokens`);
  }
  if (ids.length > maxTokens) {
    throw new UnusableAnswer(`has a completion of ${ids.length} tokens, above the limit of ${maxTokens}`);
  }
  const badId = ids.find((id) => !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabularySize));
  if (badId !== undefined || ids.includes(undefined)) {
    throw new UnusableAnswer(
      `has the token id ${JSON.stringify(badId) ?? 'none'}, and the policy has the tokens 0 to ${vocabularySize - 1}: the server has another model or sends no ids; ${howToGetTokenIds}`,
    );
  }
  // Rounding may bring a certain token slightly above 0. null: the server has NaN, which JSON cannot say.
  const badValue = values.find((value) => value !== null && !(Number.isFinite(value) && (value as number) < 0.01));
  if (badValue !== undefined || values.includes(undefined)) {
    throw new UnusableAnswer(`has the log-probability ${JSON.stringify(badValue) ?? 'none'}; expected a number ≤ 0`);
  }
  if (values.every((value) => value === null))
    throw new UnusableAnswer('has no log-probability of any token, only null');
  const last = ids.at(-1) as number;
  const terminated = stopIds.includes(last);
  if (finish === 'stop' && !terminated) {
    throw new UnusableAnswer(
      `has a completion that ended at the token ${last}, which is not a stop token of the policy (${stopIds.join(', ')}): the server stops at others or leaves the stop token out, which then could not be trained; serve the folder of the policy, with its generation_config.json`,
    );
  }
  return {
    ids: Int32Array.from(ids as number[]),
    logProbabilities: Float32Array.from(values as (number | null)[], (value) => value ?? Number.NaN),
    terminated,
  };
}
