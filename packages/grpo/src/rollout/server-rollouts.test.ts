import { InputError, InvalidArgumentError, type WorkEvent } from '@rarefy/core';
import { activate, initialWeights, languageModel } from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AnswerFormat, type Fault, startCompletionServer } from '../../../../tests/support/completion-server.js';
import { completionLogProbabilities } from './completion-log-probabilities.js';
import { completionBatch, type Rollout, type RolloutOptions } from './rollout.js';
import { type ServerRolloutsOptions, serverRollouts } from './server-rollouts.js';
import { sglangReload, vllmReload } from './weight-reloads.js';

const texts = ['one two', 'two three', 'three'];
const prompts = texts.map((prompt, position) => ({ prompt, position }));
const tokenizer = trainBytePairTokenizer(texts, { vocabularySize: 270 });
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 8,
  max_position_embeddings: 48,
};
const modelOf = (seed = 1) => languageModel(config, initialWeights(config, seed));
const policy = () => ({ model: modelOf(), tokenizer, config });
const asked: RolloutOptions = { groupSize: 4, maxPromptLength: 16, maxCompletionLength: 6, first: 10, seed: 3 };

let stop: (() => Promise<void>)[] = [];
beforeAll(() => activate('cpu'));
afterEach(async () => {
  await Promise.all(stop.map((one) => one()));
  stop = [];
});

async function served(options: Parameters<typeof startCompletionServer>[1] = {}) {
  const server = await startCompletionServer(modelOf(), options);
  stop.push(server.stop);
  return server;
}

/** The completions of a server, quickly given up. */
async function rollouts(
  server: { url: string },
  options: Partial<ServerRolloutsOptions> = {},
  changes: Partial<RolloutOptions> = {},
): Promise<Rollout> {
  const source = serverRollouts({ url: server.url, model: 'words', maxAttempts: 4, ...options });
  return source.rollout(policy(), prompts, { ...asked, onEvent: () => {}, ...changes });
}

const plain = (rollout: Rollout) =>
  rollout.completions.map(({ ids, logProbabilities, ...rest }) => ({
    ...{ ...rest, ids: [...ids], logProbabilities: [...logProbabilities!] },
  }));

describe('a server', () => {
  test.each<AnswerFormat>(['vllm', 'vllm-token-strings', 'llama.cpp'])(
    'that answers as %s gives completions with the log-probabilities of their tokens',
    async (format) => {
      const server = await served({ format });
      const written = await rollouts(server, {}, { temperature: 0.8 });
      expect(written.groupSize).toBe(4);
      expect(written.completions.map(({ position }) => position)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
      const { model } = policy();
      const own = (await completionLogProbabilities(model, completionBatch(written), {
        temperature: 0.8,
      }).array()) as number[][];
      written.completions.forEach(({ ids, logProbabilities, text, terminated }, row) => {
        expect(text).toBe(tokenizer.decode(terminated ? ids.subarray(0, -1) : ids));
        expect(terminated).toBe(ids.at(-1) === server.requests[0]!.body.stop_token_ids![0 as never]);
        for (const [index, value] of logProbabilities!.entries()) expect(value).toBeCloseTo(own[row]![index]!, 4);
      });
      expect(new Set(written.completions.map(({ ids }) => ids.join())).size).toBeGreaterThan(8);
    },
  );

  test('is asked with token ids and every sampling option', async () => {
    const server = await served();
    const { promptIds } = await rollouts(server, {}, { temperature: 0.7, topK: 5, topP: 0.9 });
    expect(server.requests).toHaveLength(3);
    expect(server.requests.map(({ path }) => path)).toEqual(Array(3).fill('/v1/completions'));
    const { body } = server.requests.find(({ body }) => `${body.prompt}` === promptIds[1]!.join())!;
    expect(body).toMatchObject({
      ...{ model: 'words', n: 4, max_tokens: 6, temperature: 0.7, top_k: 5, top_p: 0.9, min_p: 0 },
      ...{ logprobs: 1, return_token_ids: true, return_tokens_as_token_ids: true },
    });
  });

  test('with the API of SGLang gets one request per completion, with a seed of its own', async () => {
    const server = await served();
    const written = await rollouts({ url: server.root }, { api: 'sglang' });
    expect(server.requests.map(({ path }) => path)).toEqual(Array(12).fill('/generate'));
    const seeds = server.requests.map(({ body }) => (body.sampling_params as { sampling_seed: number }).sampling_seed);
    expect(new Set(seeds).size).toBe(12);
    // The same seeds and weights through the other API, one completion per request.
    expect(plain(await rollouts(server, { completionsPerRequest: 1 }))).toEqual(plain(written));
  });

  test('gives the same completion for a draw in any batch', async () => {
    const server = await served();
    const whole = plain(await rollouts(server, { maxConcurrency: 1 }));
    const source = serverRollouts({ url: server.url, model: 'words' });
    const second = await source.rollout(policy(), prompts.slice(1, 2), { ...asked, first: 11 });
    expect(plain(second)).toEqual(whole.slice(4, 8));
  });
});

/** A fault of the first `times` attempts of each request. */
const firstTimes =
  (times: number, answerBadly: Fault): Fault =>
  (asked, response, answer) =>
    asked.earlier < times ? answerBadly(asked, response, answer) : undefined;

/** Answers with a status and a text. */
const says =
  (status: number, text: string, headers: Readonly<Record<string, string>> = {}): Fault =>
  (_, response) => {
    response.writeHead(status, headers).end(text);
    return true;
  };

/** Sends the answer after a change of its text. */
const changed =
  (edit: (text: string) => string): Fault =>
  async (_, response, answer) => {
    response.writeHead(200).end(edit(JSON.stringify(await answer())));
    return true;
  };

describe('faults that pass', () => {
  const passing: Record<string, Fault> = {
    'a connection that is reset': firstTimes(2, (_, response) => {
      response.destroy();
      return true;
    }),
    'status 429 with Retry-After': firstTimes(1, says(429, 'busy', { 'retry-after': '0' })),
    'an answer that comes too late': firstTimes(1, () => new Promise(() => {})),
    'an answer that is cut off': firstTimes(
      1,
      changed((text) => text.slice(0, 60)),
    ),
    'a completion that was aborted': firstTimes(
      1,
      changed((text) => text.replaceAll(/"(stop|length)"/g, '"abort"')),
    ),
  };

  test.each(Object.entries(passing))(
    '%s: the retry has the same seed, and the result is the same',
    async (name, fault) => {
      const expected = plain(await rollouts(await served()));
      const events: WorkEvent[] = [];
      const server = await served({ fault });
      const limit = name.includes('late') ? { attemptTimeoutMs: 1000 } : {};
      const written = await rollouts(server, limit, { onEvent: (event) => events.push(event) });
      expect(plain(written)).toEqual(expected);
      expect(new Set(server.requests.map(({ body }) => body.seed)).size).toBe(3);
      expect(server.requests.length).toBeGreaterThanOrEqual(6);
      expect(events.length).toBe(server.requests.length - 3);
    },
  );
});

describe('answers that cannot be used fail at once, and say what is missing', () => {
  interface Body {
    readonly choices: Record<string, unknown>[] & { token_ids: unknown[]; logprobs: { token_logprobs: unknown[] } }[];
  }
  const edits: Record<string, [edit: (body: Body) => void, message: RegExp]> = {
    'no log-probabilities': [
      ({ choices }) => Object.assign(choices[1]!, { logprobs: null }),
      /has no log-probabilities of the tokens .* --max-logprobs/,
    ],
    'only null as log-probabilities': [
      ({ choices }) => choices[0]!.logprobs.token_logprobs.fill(null),
      /has no log-probability of any token/,
    ],
    'no token ids': [
      ({ choices }) => Object.assign(choices[0]!, { token_ids: null }),
      /has no token ids .* --return-tokens-as-token-ids/,
    ],
    'fewer completions': [
      ({ choices }) => choices.pop(),
      /has 3 completions, and 4 were asked for; set completionsPerRequest/,
    ],
    'fewer log-probabilities': [
      ({ choices }) => choices[0]!.logprobs.token_logprobs.push(-1),
      /has \d+ log-probabilities for a completion of \d+ tokens/,
    ],
    'a token outside the vocabulary': [
      ({ choices }) => (choices[2]!.token_ids[0] = tokenizer.vocabularySize),
      /has the token id 270, and the policy has the tokens 0 to 269/,
    ],
    'a token that is not an integer': [({ choices }) => (choices[2]!.token_ids[0] = 'a'), /has the token id "a"/],
    'a probability above 1': [
      ({ choices }) => (choices[0]!.logprobs.token_logprobs[0] = 0.5),
      /has the log-probability 0.5; expected a number ≤ 0/,
    ],
    'no tokens': [
      ({ choices }) => Object.assign(choices[0]!, { token_ids: [], logprobs: { token_logprobs: [] } }),
      /has a completion without tokens/,
    ],
    'too many tokens': [
      ({ choices }) =>
        Object.assign(choices[0]!, { token_ids: Array(7).fill(1), logprobs: { token_logprobs: Array(7).fill(-1) } }),
      /has a completion of 7 tokens, above the limit of 6/,
    ],
    'another stop token': [
      ({ choices }) =>
        Object.assign(choices[0]!, { token_ids: [5], logprobs: { token_logprobs: [-1] }, finish_reason: 'stop' }),
      /ended at the token 5, which is not a stop token of the policy/,
    ],
  };

  test.each(Object.entries(edits))('%s', async (_, [edit, message]) => {
    const server = await served({
      async fault(_, response, answer) {
        const body = (await answer()) as Body;
        edit(body);
        response.writeHead(200).end(JSON.stringify(body));
        return true;
      },
    });
    const failed = rollouts(server, { maxConcurrency: 1 });
    await expect(failed).rejects.toThrow(InputError);
    await expect(failed).rejects.toThrow(message);
    expect(server.requests).toHaveLength(1);
  });

  test('and an SGLang server that is none', async () => {
    const server = await served({ fault: says(200, '{"text": "hi"}') });
    await expect(rollouts(server, { api: 'sglang' })).rejects.toThrow(/output_token_logprobs.*check that url/);
  });
});

test('the key goes to the server and into no message', async () => {
  const key = 'sk-very-secret';
  const events: WorkEvent[] = [];
  const server = await served({
    fault: ({ headers, earlier }, response) => {
      response.writeHead(earlier < 1 ? 503 : 400).end(`no, ${headers.authorization}`);
      return true;
    },
  });
  const failed = rollouts(server, { apiKey: key }, { onEvent: (event) => events.push(event) });
  await expect(failed).rejects.toThrow('answered 400 (no, Bearer [key])');
  expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${key}`);
  expect(JSON.stringify(events)).not.toContain('secret');
});

test('an abort ends the wait for a server', async () => {
  const server = await served({ fault: () => new Promise(() => {}) });
  const controller = new AbortController();
  const stopped = rollouts(server, {}, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error('enough')), 50);
  await expect(stopped).rejects.toThrow('enough');
});

test('a server is asked to load a folder as vLLM and SGLang expect it', async () => {
  const server = await served({ ignoresReload: true });
  await vllmReload({ url: server.root })('some/folder');
  await sglangReload({ url: `${server.root}/` })('some/folder');
  expect(server.requests.map(({ path, body }) => [path, body])).toEqual([
    ['/collective_rpc', { method: 'reload_weights', kwargs: { weights_path: `${process.cwd()}/some/folder` } }],
    ['/reset_prefix_cache', {}],
    ['/update_weights_from_disk', { model_path: `${process.cwd()}/some/folder`, flush_cache: true }],
  ]);
  const refusing = await served({
    fault: says(400, '{"success": false, "message": "no such folder"}'),
  });
  await expect(sglangReload({ url: refusing.root })('x')).rejects.toThrow(/answered 400 .*no such folder/);
});

test('no rollout leaks a tensor', async () => {
  const server = await served();
  const loaded = policy();
  const source = serverRollouts({ url: server.url, model: 'words' });
  const step = { ...asked, steps: 1 };
  const { groupSize, first, ...sampling } = step;
  await source.beforeStep!(loaded, 0, sampling);
  const before = tf.memory().numTensors;
  await source.beforeStep!(loaded, 0, sampling);
  await source.rollout(loaded, prompts, asked);
  expect(tf.memory().numTensors).toBe(before);
});

test('options that are unknown or out of range are refused', () => {
  const url = 'http://localhost:8000/v1';
  const reload = async () => {};
  const refused: [object, string][] = [
    [{ model: '' }, 'serverRollouts needs `model`'],
    [{ url: 'localhost:8000' }, 'url must be an http or https address'],
    [{ url: 'http://me:pw@localhost' }, 'url must have no user'],
    [{ api: 'vllm' }, 'api must be one of openai, sglang, got "vllm"'],
    [{ apiKey: 'a b' }, 'apiKey must be a text of printable ASCII'],
    [{ maxStalenes: 1 }, 'did you mean "maxStaleness"'],
    [{ maxStaleness: -1 }, 'maxStaleness must be'],
    [{ tolerance: Number.NaN }, 'tolerance must be'],
    [{ attemptTimeoutMs: 2 ** 31 }, 'attemptTimeoutMs must be in (0, 2^31) ms'],
    [{ weights: { folder: 'f' } }, 'weights.reload must be a function'],
    [{ weights: { folder: '', reload } }, 'weights.folder must be a path'],
    [{ weights: { folder: 'f', reload, everySteps: 0 } }, 'weights.everySteps must be'],
    [
      { weights: { folder: 'f', reload, everySteps: 4 }, maxStaleness: 2 },
      'makes weights 3 steps old, above maxStaleness 2',
    ],
  ];
  for (const [options, message] of refused) {
    expect(() => serverRollouts({ url, model: 'm', ...options } as never), message).toThrow(InvalidArgumentError);
    expect(() => serverRollouts({ url, model: 'm', ...options } as never)).toThrow(message);
  }
});
