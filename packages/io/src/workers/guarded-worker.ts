import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type CallOptions, checkOptions } from '@rarefy/core';

export interface GuardedWorkerOptions<Data> {
  /** URL of the library that the worker imports; see {@link libraryUrl}. */
  readonly library: string;
  /** Copied to the worker when it starts. */
  readonly data: Data;
  /** Longest time that a request may take, in milliseconds. Loading the library does not count. */
  readonly timeMs: number;
  /** Limit of the worker's JavaScript heap. Array buffers do not count. */
  readonly heapMegabytes: number;
  /** Makes the error for a request that fails, takes too long, or uses too much memory. */
  readonly toError: (reason: string) => Error;
}

const optionNames = [
  'library',
  'data',
  'timeMs',
  'heapMegabytes',
  'toError',
] satisfies (keyof GuardedWorkerOptions<unknown>)[];

export interface GuardedWorker<Request, Answer> extends AsyncDisposable {
  /**
   * One request at a time. After one that was aborted, took too long or ran out of memory, the worker has ended.
   * @param transfer buffers that move to the worker instead of being copied
   * @throws what `toError` makes; the signal's reason on abort.
   */
  ask(request: Request, options?: CallOptions, transfer?: readonly ArrayBuffer[]): Promise<Answer>;
}

/** What `serve` answers with. Buffers in `transfer` move to the caller instead of being copied. */
export interface Served<Answer> {
  readonly answer: Answer;
  readonly transfer?: readonly ArrayBuffer[];
}

/** URL of an installed library. @param from `import.meta.url` of the module that depends on the library */
export function libraryUrl(name: string, from: string): string {
  return pathToFileURL(createRequire(from).resolve(name)).href;
}

/**
 * Runs a library that trusts its input on an untrusted file: in a worker thread that is terminated when a request takes too long or
 * needs too much memory, so that the file can neither hang nor exhaust this process.
 * @param serve runs in the worker: gets the library and the data, and returns the function that answers requests. It is passed as
 * source text, so it must not use anything outside of itself but globals (`process.getBuiltinModule` for modules of Node).
 */
export function guardedWorker<Library, Data, Request, Answer>(
  serve: (library: Library, data: Data) => Promise<(request: Request) => Served<Answer> | Promise<Served<Answer>>>,
  options: GuardedWorkerOptions<Data>,
): GuardedWorker<Request, Answer> {
  checkOptions(options, optionNames, 'guardedWorker');
  const { library, data, timeMs, heapMegabytes, toError } = options;
  const worker = new Worker(workerText(serve), {
    eval: true,
    workerData: { library, data },
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  worker.on('error', () => {}); // `ask` reports it; an error between two requests must not end the process
  let hasEnded = false;
  worker.once('exit', () => {
    hasEnded = true;
  });
  const loaded = new Promise<void>((resolve) => worker.once('message', resolve));
  return {
    ask(request, { signal } = {}, transfer = []) {
      return new Promise<Answer>((resolve, reject) => {
        let timer: NodeJS.Timeout | undefined;
        let isSettled = false;
        const settle = (outcome: () => void) => {
          isSettled = true;
          clearTimeout(timer);
          worker.off('message', onMessage).off('error', onError).off('exit', onExit);
          signal?.removeEventListener('abort', onAbort);
          outcome();
        };
        const end = (error: unknown) => {
          hasEnded = true; // the exit event comes later
          settle(() => reject(error));
          void worker.terminate();
        };
        const onMessage = (message: { answer: Answer } | { failure: string }) => {
          settle(() => ('answer' in message ? resolve(message.answer) : reject(toError(message.failure))));
        };
        const onError = (error: Error) => end(toError(error.message));
        const onExit = () => end(toError('its worker has ended'));
        const onAbort = () => end(signal!.reason);
        if (signal?.aborted) return onAbort();
        if (hasEnded) return onExit();
        worker.once('error', onError).once('exit', onExit);
        signal?.addEventListener('abort', onAbort);
        void loaded.then(() => {
          if (isSettled) return;
          worker.once('message', onMessage);
          timer = setTimeout(() => end(toError(`reading it took more than ${timeMs / 1000} s`)), timeMs);
          worker.postMessage(request, transfer);
        });
      });
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

function workerText(serve: { toString(): string }): string {
  return `
const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads'); // require may be missing
import(workerData.library).then((library) => {
  let handle;
  parentPort.on('message', async (request) => {
    try {
      handle ??= await (${serve})(library, workerData.data);
      const { answer, transfer } = await handle(request);
      parentPort.postMessage({ answer }, transfer);
    } catch (error) {
      parentPort.postMessage({ failure: String(error && error.message) });
    }
  });
  parentPort.postMessage('loaded');
});
`;
}
