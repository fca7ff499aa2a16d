import { checkOptions, InvalidArgumentError, importPeer, MissingDependencyError } from '@rarefy/core';
import { mendWasmKernels } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { mendNodeKernels } from './mend-node-kernels.js';

/** Fastest first: the order in which {@link chooseBackend} tries them. */
export const backendNames = ['node-gpu', 'node', 'wasm', 'cpu'] as const;
export type BackendName = (typeof backendNames)[number];

export interface ChosenBackend {
  readonly name: BackendName;
  /** Why this backend was chosen, in words, for the header of a run. */
  readonly reason: string;
  /** The device that computes, as reported by the backend. */
  readonly device: 'cpu' | 'gpu';
}

/**
 * Loads a tfjs backend and makes it current: `backend` if given, or the one in the environment variable RAREFY_BACKEND, or the
 * first of {@link backendNames} that loads and passes a small computation.
 * @throws InvalidArgumentError if the name or an option is unknown; MissingDependencyError if the given backend, or every backend,
 *   fails.
 */
export async function chooseBackend(options: { readonly backend?: string | undefined } = {}): Promise<ChosenBackend> {
  checkOptions(options, ['backend'], 'chooseBackend');
  const fromEnvironment = process.env.RAREFY_BACKEND || undefined;
  const wanted = options.backend ?? fromEnvironment;
  await importPeer({ name: '@tensorflow/tfjs', range: '^4.22.0', load: () => import('@tensorflow/tfjs') });
  if (wanted !== undefined) {
    const name = backendNames.find((known) => known === wanted);
    if (!name)
      throw new InvalidArgumentError(`backend '${wanted}' is unknown; choose one of ${backendNames.join(', ')}`);
    await activate(name);
    return { name, device: device(), reason: options.backend ? 'given by option' : 'given by RAREFY_BACKEND' };
  }
  const failures: string[] = [];
  for (const name of backendNames) {
    try {
      await activate(name);
      return { name, device: device(), reason: reasons[name] };
    } catch (error) {
      if (!MissingDependencyError.isInstance(error)) throw error;
      failures.push(error.message.split(/(?<=\.) /)[0]!);
    }
  }
  throw new MissingDependencyError('@tensorflow/tfjs', 'Reinstall @tensorflow/tfjs.', failures.join(' '));
}

/** Why a backend was chosen by trying them in order. */
const reasons: Record<BackendName, string> = {
  'node-gpu': 'fastest found',
  node: 'fastest found',
  wasm: 'native TensorFlow not found; `rarefy doctor` explains',
  cpu: 'neither native TensorFlow nor WebAssembly works; `rarefy doctor` explains',
};

/** Loads one backend, makes it current and checks that it computes. @throws MissingDependencyError with the fix. */
export async function activate(name: BackendName): Promise<void> {
  const { peer, backend, load } = loaders[name];
  await importPeer({ name: peer, range: '^4.22.0', load });
  if (name === 'wasm') await mendWasmKernels();
  if (backend === 'tensorflow') mendNodeKernels();
  const fix = name === 'cpu' ? 'Reinstall @tensorflow/tfjs.' : 'Choose another backend, for example --backend wasm.';
  let computes = false;
  try {
    // setBackend resolves to false, and leaves the old backend current, if a backend cannot start.
    computes = (await tf.setBackend(backend)) && tf.getBackend() === backend && smokeTest();
    if (name === 'wasm') removeWasmErrorHandlers();
  } catch (cause) {
    const hint =
      cause instanceof TypeError && cause.message.includes('isNullOrUndefined')
        ? ' It does not work on Node 23 or later.'
        : '';
    throw new MissingDependencyError(peer, fix, `${peer} loads but fails when it computes.${hint}`, { cause });
  }
  if (!computes) throw new MissingDependencyError(peer, fix, `${peer} loads but does not start.`);
}

/**
 * @tensorflow/tfjs-backend-wasm throws every uncaught error again, so that Node prints the line that throws: 60 KB of its code, and
 * the message below it. Without its handlers, Node prints the error as always.
 */
function removeWasmErrorHandlers(): void {
  if (typeof process === 'undefined' || typeof process.listeners !== 'function') return; // in a browser
  const emitter: NodeJS.EventEmitter = process;
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    for (const handler of emitter.listeners(event) as (() => void)[]) {
      if (/ExitStatus|throw reason/.test(String(handler))) emitter.off(event, handler);
    }
  }
}

const loaders: Record<BackendName, { peer: string; backend: string; load: () => Promise<object> }> = {
  'node-gpu': {
    peer: '@tensorflow/tfjs-node-gpu',
    backend: 'tensorflow',
    load: () => import('@tensorflow/tfjs-node-gpu'),
  },
  node: { peer: '@tensorflow/tfjs-node', backend: 'tensorflow', load: () => import('@tensorflow/tfjs-node') },
  wasm: { peer: '@tensorflow/tfjs-backend-wasm', backend: 'wasm', load: () => import('@tensorflow/tfjs-backend-wasm') },
  cpu: { peer: '@tensorflow/tfjs', backend: 'cpu', load: () => import('@tensorflow/tfjs') },
};

/** Checks a small computation. topk and cast are what fails first if a native backend does not fit the Node version. */
function smokeTest(): boolean {
  return tf.tidy(() => {
    const squares = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([1, 2, 3, 4], [2, 2]));
    const { values } = tf.topk(tf.reshape(tf.cast(squares, 'int32'), [4]), 1);
    return values.dataSync()[0] === 22;
  });
}

/** The native GPU package silently falls back to the CPU, so this asks the backend. */
function device(): 'cpu' | 'gpu' {
  return (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice ? 'gpu' : 'cpu';
}
