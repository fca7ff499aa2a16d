import { resolve } from 'node:path';
import { BadAnswer, type CallOptions, checkOptions, type JsonService, postJson, serviceAddress } from '@rarefy/core';

/** Makes a server load the model in a folder. Resolves once the server generates with it. */
export type WeightReload = (folder: string, options?: CallOptions) => Promise<void>;

export interface WeightReloadOptions {
  /** Address of the server itself, such as `http://localhost:8000`, without `/v1`. */
  readonly url: string;
  /** Sent as `Authorization: Bearer …`. Never appears in an error or event. */
  readonly apiKey?: string;
}

const optionNames = ['url', 'apiKey'] as const satisfies readonly (keyof WeightReloadOptions)[];

/** Enough for the list of what each worker of a server answers. */
const maxBytes = 2 ** 20;

/**
 * Makes vLLM load a folder: `POST /collective_rpc` with `reload_weights`, then `POST /reset_prefix_cache`. Both are development
 * endpoints: start the server with `VLLM_SERVER_DEV_MODE=1`, in reach of no one else. It reads the folder under its absolute path
 * here.
 * @throws InvalidArgumentError if the address or key cannot be used. The result throws InputError if the server refuses.
 */
export function vllmReload(options: WeightReloadOptions): WeightReload {
  const service = serviceOf(checkOptions(options, optionNames, 'vllmReload'));
  return async (folder, call = {}) => {
    const post = (path: string, body: unknown) =>
      postJson(service(path), { ...call, body, maxBytes, task: 'reload weights', read: () => undefined });
    await post('collective_rpc', { method: 'reload_weights', kwargs: { weights_path: resolve(folder) } });
    await post('reset_prefix_cache', {}); // what is cached was computed with the weights before
  };
}

/**
 * Makes SGLang load a folder: `POST /update_weights_from_disk`, which also empties its cache. The server reads the folder under its
 * absolute path here.
 * @throws InvalidArgumentError if the address or key cannot be used. The result throws InputError if the server refuses.
 */
export function sglangReload(options: WeightReloadOptions): WeightReload {
  const service = serviceOf(checkOptions(options, optionNames, 'sglangReload'));
  return (folder, call = {}) =>
    postJson(service('update_weights_from_disk'), {
      ...{ ...call, maxBytes, task: 'reload weights', body: { model_path: resolve(folder), flush_cache: true } },
      read(answer) {
        if (Object(answer).success !== true) throw new BadAnswer('does not say success');
      },
    });
}

function serviceOf({ url, apiKey }: WeightReloadOptions): (path: string) => JsonService {
  const root = serviceAddress(url, apiKey).replace(/\/+$/, '');
  // Loading weights takes long, and the request that began it may go on in the server after a timeout.
  const limits = { maxAttempts: 4, attemptTimeoutMs: 600_000, deadlineMs: 1_800_000 };
  return (path) => ({ url: `${root}/${path}`, apiKey, ...limits });
}
