import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExactEngine } from '@rarefy/neighbors/exact';
import { importNative } from '../../packages/neighbors/src/exact/native.js';

const isNativeHere = existsSync(
  fileURLToPath(new URL('../../packages/neighbors-native/package.json', import.meta.url)),
);

async function nativeReason(): Promise<string> {
  try {
    const { selfJoin } = await importNative();
    await selfJoin(Float32Array.of(0, 1), 2, 1, { k: 1, metric: 'euclidean', threads: 1 });
    return '';
  } catch {
    return ' (skipped: @rarefy/neighbors-native is not built)';
  }
}

/** The engines that must return the bytes of the TypeScript engine. `reason` says why tests are skipped, for their names. */
export const fastEngines: readonly { readonly engine: ExactEngine; readonly reason: string }[] = [
  { engine: 'wasm', reason: '' },
  ...(isNativeHere ? [{ engine: 'native' as const, reason: await nativeReason() }] : []),
];
