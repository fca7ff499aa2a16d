/** What is used of the module `faiss-node`. */
export interface Faiss {
  readonly Index: { fromFactory(dimensions: number, description: string, metric: number): FaissStore };
}

/** An index of faiss. It takes plain arrays only, and every call is synchronous. */
export interface FaissStore {
  ntotal(): number;
  isTrained(): boolean;
  train(vectors: number[]): void;
  add(vectors: number[]): void;
  /** queries x k. Squared lengths or inner products, nearest first; label -1 where there is none. */
  search(queries: number[], k: number): { readonly distances: number[]; readonly labels: number[] };
}

/** faiss' numbers for its metrics. */
export const faissMetrics = { euclidean: 1, cosine: 0, dot: 0 } as const;
