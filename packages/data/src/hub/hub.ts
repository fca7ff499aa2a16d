import { type CallOptions, InputError, InvalidArgumentError, RarefyError, retryDelay, sleep } from '@rarefy/core';

export interface HubOptions extends CallOptions {
  /** Address of a hub with Hugging Face's routes; default HF_ENDPOINT, or `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** For what is not public; default HF_TOKEN. It is written nowhere, and sent to the endpoint alone. */
  readonly token?: string | undefined;
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string | undefined;
}

/** A repository of a hub. */
export interface Repository {
  readonly type: 'model' | 'dataset';
  /** Such as `sentence-transformers/all-MiniLM-L6-v2`. */
  readonly name: string;
}

/** How requests go to one hub. */
export interface Hub {
  readonly endpoint: string;
  readonly signal: AbortSignal | undefined;
  /** `fetch` of an address of the endpoint, with the token and with tries: again after a broken connection, 408, 429 and 5xx, eight times at most, each told as an event. */
  readonly fetch: typeof fetch;
}

const attempts = 8;

/** @throws InvalidArgumentError for an endpoint that is no http address or holds a secret, and for a token that no header can hold. */
export function openHub(options: HubOptions): Hub {
  const text = options.endpoint ?? process.env.HF_ENDPOINT ?? 'https://huggingface.co';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new InvalidArgumentError('the endpoint must be an http or https address without user, password and query');
  }
  const token = options.token ?? process.env.HF_TOKEN;
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    // fetch would refuse it too, in a message that shows it.
    throw new InvalidArgumentError('the token (HF_TOKEN) must be printable ASCII; look for a line break in it');
  }
  const { signal, onEvent } = options;
  return {
    endpoint: `${url.origin}${url.pathname}`.replace(/\/+$/, ''),
    signal,
    async fetch(input, init) {
      const address = input instanceof Request ? input.url : String(input);
      // Pages of a listing name the next one, and the token goes along; it does not to where that server redirects.
      if (new URL(address).origin !== url.origin) throw new InputError(`${text} points to another server, ${address}`);
      const headers = new Headers(init?.headers);
      if (token) headers.set('authorization', `Bearer ${token}`);
      for (let attempt = 1; ; attempt++) {
        signal?.throwIfAborted();
        const response = await fetch(input, { ...init, headers, signal: signal ?? null }).catch(
          (error: unknown) => error as Error,
        );
        signal?.throwIfAborted();
        const isPassing =
          response instanceof Error || response.status === 408 || response.status === 429 || response.status >= 500;
        if (!isPassing) return response;
        const why =
          response instanceof Error ? `could not be reached (${codeOf(response)})` : `answered ${response.status}`;
        const retryAfter = response instanceof Error ? null : response.headers.get('retry-after');
        if (!(response instanceof Error)) await response.body?.cancel();
        const problem = `${address.replace(/\?.*/, '')} ${why}`;
        if (attempt === attempts) {
          throw new InputError(
            `${problem}; gave up after ${attempts} tries: try later, or check the connection and the endpoint (HF_ENDPOINT, --endpoint)`,
          );
        }
        const wait = Math.min(60_000, retryDelay(attempt, retryAfter, Math.random(), Date.now()));
        onEvent?.({
          type: 'work-message',
          task: 'download',
          message: `${problem}; trying again in ${Math.round(wait)} ms`,
        });
        await sleep(wait, signal);
      }
    },
  };
}

/** The error as one that says which repository, whatever a library threw. @throws the signal's reason instead when it is aborted. */
export function hubError(hub: Hub, { name }: Repository, error: unknown): Error {
  hub.signal?.throwIfAborted();
  if (RarefyError.isInstance(error)) return error;
  const status = (error as { statusCode?: number }).statusCode;
  if (status === undefined) {
    const { message } = error as Error;
    return new InputError(`${hub.endpoint} answers for ${name} what cannot be used: ${message}`, { cause: error });
  }
  const fix =
    status === 401 || status === 403
      ? 'it may need a token: set HF_TOKEN, and accept its terms on its page'
      : 'check its name and the revision';
  return new InputError(`${hub.endpoint} answered ${status} for ${name}; ${fix}`);
}

/** Why a connection failed, such as ECONNREFUSED. */
export function codeOf(error: Error): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? error.message;
}
