import '@tensorflow/tfjs';
import { activate, type BackendName } from '@rarefy/lm';
import { beforeAll, describe } from 'vitest';

const failures = new Map<BackendName, string | undefined>();
for (const name of ['node', 'wasm'] as const) {
  failures.set(
    name,
    await activate(name).then(
      () => undefined,
      (error: Error) => error.message.split('. ')[0],
    ),
  );
}

/**
 * Runs the tests once on native tfjs-node and once on wasm, each current while its tests run. Skips a backend that does not load
 * on this machine; the name of the skipped suite says why.
 */
export function describeOnBackends(name: string, tests: (backend: BackendName) => void): void {
  for (const [backend, failure] of failures) {
    if (failure !== undefined) describe.skip(`${name} on ${backend} (skipped: ${failure})`, () => tests(backend));
    else {
      describe(`${name} on ${backend}`, () => {
        beforeAll(() => activate(backend));
        tests(backend);
      });
    }
  }
}
