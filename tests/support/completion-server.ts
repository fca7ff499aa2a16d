import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { completionLogProbabilities } from '@rarefy/grpo';
import { type CausalLanguageModel, generate, loadWeights } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';

/** What a test sees of a request. */
export interface Asked {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage['headers'];
  /** Number of earlier requests with the same body. */
  readonly earlier: number;
}

/** Answers a request itself and returns true, or lets the server send what `answer` gives. */
export type Fault = (
  asked: Asked,
  response: ServerResponse,
  answer: () => Promise<unknown>,
) => boolean | undefined | Promise<boolean | undefined>;

/** How token ids and log-probabilities are written. */
export type AnswerFormat = 'vllm' | 'vllm-token-strings' | 'llama.cpp';

interface Choice {
  readonly ids: readonly number[];
  readonly logProbabilities: readonly number[];
  readonly terminated: boolean;
}

/**
 * A loopback server of `POST /v1/completions` (vLLM and llama.cpp) and `POST /generate` (SGLang). It generates with a model, by the
 * seed of the request, and loads weights as both servers do. The model should not be that of the policy.
 */
export async function startCompletionServer(
  model: CausalLanguageModel,
  { fault = () => undefined, format = 'vllm' as AnswerFormat, ignoresReload = false } = {} as {
    fault?: Fault;
    format?: AnswerFormat;
    ignoresReload?: boolean;
  },
) {
  const attempts = new Map<string, number>();
  const requests: Asked[] = [];
  let busy: Promise<unknown> = Promise.resolve(); // one request at a time uses the model
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const path = request.url!;
    const asked: Asked = {
      ...{ path, body: JSON.parse(text), headers: request.headers },
      earlier: attempts.get(path + text) ?? 0,
    };
    attempts.set(path + text, asked.earlier + 1);
    requests.push(asked);
    const answer = () => (busy = busy.then(() => answerTo(asked)));
    if (await fault(asked, response, answer)) return;
    const content = await answer();
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(content === undefined ? '' : JSON.stringify(content));
  });

  async function answerTo({ path, body }: Asked): Promise<unknown> {
    if (path === '/collective_rpc') {
      const { weights_path: folder } = body.kwargs as { weights_path: string };
      if (!ignoresReload) await loadWeights(model, folder);
      return { results: [null] };
    }
    if (path === '/reset_prefix_cache') return undefined;
    if (path === '/update_weights_from_disk') {
      if (!ignoresReload) await loadWeights(model, body.model_path as string);
      return { success: true, message: 'done', num_paused_requests: 0 };
    }
    if (path === '/generate') {
      const sampling = body.sampling_params as Record<string, unknown>;
      const choices = await choicesOf({
        ...{ ...sampling, prompt: body.input_ids, max_tokens: sampling.max_new_tokens, seed: sampling.sampling_seed },
      });
      const [{ ids, logProbabilities, terminated }] = choices as [Choice];
      return {
        text: '',
        meta_info: {
          finish_reason: terminated ? { type: 'stop', matched: ids.at(-1) } : { type: 'length', length: ids.length },
          output_token_logprobs: ids.map((id, index) => [logProbabilities[index], id, null]),
        },
      };
    }
    const choices = await choicesOf(body);
    return {
      object: 'text_completion',
      model: body.model,
      choices: choices.map((choice, index) => written(choice, index)),
    };
  }

  async function choicesOf(body: Readonly<Record<string, unknown>>): Promise<Choice[]> {
    const temperature = body.temperature as number;
    const prompt = Int32Array.from(body.prompt as number[]);
    const generated = await generate(model, [prompt], {
      ...{ maxNewTokens: body.max_tokens as number, stopId: body.stop_token_ids as number[] },
      ...{ samplesPerPrompt: body.n as number, seed: body.seed as number, temperature },
      ...{ topP: body.top_p as number, topK: Math.max(0, body.top_k as number) },
    });
    return generated.map(({ ids, terminated }) => {
      const logProbabilities = tf.tidy(() => {
        const row = (values: Int32Array) => tf.tensor2d(values, [1, values.length], 'int32');
        const [promptIds, completionIds] = [row(prompt), row(ids)];
        const masks = { promptMask: tf.onesLike(promptIds), completionMask: tf.onesLike(completionIds) };
        const options = { temperature };
        return [...completionLogProbabilities(model, { promptIds, completionIds, ...masks }, options).dataSync()];
      });
      return { ids: [...ids], terminated, logProbabilities };
    });
  }

  function written({ ids, logProbabilities, terminated }: Choice, index: number) {
    const choice = { index, text: '', finish_reason: terminated ? 'stop' : 'length' };
    if (format === 'llama.cpp') {
      return {
        ...choice,
        logprobs: { content: ids.map((id, at) => ({ id, token: '', logprob: logProbabilities[at] })) },
      };
    }
    const tokens = ids.map((id) => (format === 'vllm' ? 'text' : `token_id:${id}`));
    return {
      ...{ ...choice, logprobs: { tokens, token_logprobs: logProbabilities } },
      ...(format === 'vllm' && { token_ids: ids }),
    };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    /** Address of the server, and of its API like OpenAI's. */
    root,
    url: `${root}/v1`,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
