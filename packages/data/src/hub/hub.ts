import {
  type CallOptions,
  callOptionNames,
  InputError,
  InvalidArgumentError,
  RarefyError,
  retryDelay,
  sleep,
} from '@rarefy/core';

export interface HubOptions extends CallOptions {
  /** Address of a hub with the API of Hugging Face; default: HF_ENDPOINT, or `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** Access token for private repositories; default: HF_TOKEN. It is sent only to the endpoint and never written. */
  readonly token?: string | undefined;
  /** Branch, tag or commit; default: `main`. */
  readonly revision?: string | undefined;
}

/** Names of {@link HubOptions}, for `checkOptions` in functions whose options extend them. */
export const hubOptionNames = ['endpoint', 'token', 'revision', ...callOptionNames] satisfies (keyof HubOptions)[];

/** A repository on a hub. */
export interface Repository {
  readonly type: 'model' | 'dataset';
  /** `owner/name`, such as `sentence-transformers/all-MiniLM-L6-v2`. */
  readonly name: string;
}

/** Sends requests to one hub. */
export interface Hub {
  readonly endpoint: string;
  readonly signal: AbortSignal | undefined;
  /**
   * `fetch` for addresses of the endpoint, with the token. A broken connection and the statuses 408, 429 and 5xx are retried, up to
   * eight attempts; every retry is reported as an event.
   */
  readonly fetch: typeof fetch;
}

const attempts = 8;

/**
 * @throws InvalidArgumentError if the endpoint is not an http address or contains a secret, or if the token is not a valid
 * header.
 */
export function openHub(options: HubOptions): Hub {
  const text = options.endpoint ?? process.env.HF_ENDPOINT ?? 'https://huggingface.co';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new InvalidArgumentError('the endpoint must be an http or https address without user, password and query');
  }
  const token = options.token ?? process.env.HF_TOKEN;
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    // fetch rejects it too, but its message shows the token.
    throw new InvalidArgumentError('the token (HF_TOKEN) must be printable ASCII; look for a line break in it');
  }
  const { signal, onEvent } = options;
  return {
    endpoint: `${url.origin}${url.pathname}`.replace(/\/+$/, ''),
    signal,
    async fetch(input, init) {
      const address = input instanceof Request ? input.url : String(input);
      // A page of a listing names the address of the next one: without this check the token could go to another server.
      if (new URL(address).origin !== url.origin) throw new InputError(`${text} refers to another server, ${address}`);
      const headers = new Headers(init?.headers);
      if (token) headers.set('authorization', `Bearer ${token}`);
      for (let attempt = 1; ; attempt++) {
        signal?.throwIfAborted();
        const response = await fetch(input, { ...init, headers, signal: signal ?? null }).catch(
          (error: unknown) => error as Error,
        );
        signal?.throwIfAborted();
        const isTransient =
          response instanceof Error || response.status === 408 || response.status === 429 || response.status >= 500;
        if (!isTransient) return response;
        const why =
          response instanceof Error ? `could not be reached (${codeOf(response)})` : `answered ${response.status}`;
        const retryAfter = response instanceof Error ? null : response.headers.get('retry-after');
        if (!(response instanceof Error)) await response.body?.cancel();
        const problem = `${address.replace(/\?.*/, '')} ${why}`;
        if (attempt === attempts) {
          throw new InputError(
            `${problem}; gave up after ${attempts} attempts: try later, or check the connection and the endpoint (HF_ENDPOINT, --endpoint)`,
          );
        }
        const wait = Math.min(60_000, retryDelay(attempt, retryAfter, Math.random(), Date.now()));
        onEvent?.({
          type: 'work-message',
          task: 'download',
          message: `${problem}; retrying in ${Math.round(wait)} ms`,
        });
        await sleep(wait, signal);
      }
    },
  };
}

/** Converts any error of a request about a repository. @throws the signal's reason if it is aborted. */
export function hubError(hub: Hub, { name }: Repository, error: unknown): Error {
  hub.signal?.throwIfAborted();
  if (RarefyError.isInstance(error)) return error;
  const status = (error as { statusCode?: number }).statusCode;
  if (status === undefined) {
    const { message } = error as Error;
    return new InputError(`${hub.endpoint} sent an invalid answer for ${name}: ${message}`, { cause: error });
  }
  const fix =
    status === 401 || status === 403
      ? 'it may need a token: set HF_TOKEN, and accept its terms on its page'
      : 'check its name and the revision';
  return new InputError(`${hub.endpoint} answered ${status} for ${name}; ${fix}`);
}

/** Reason of a failed connection, such as ECONNREFUSED. */
export function codeOf(error: Error): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? error.message;
}
