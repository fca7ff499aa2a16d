/** What is used of the module `usearch`. */
export interface Usearch {
  readonly Index: new (config: {
    readonly dimensions: number;
    readonly metric: string;
    readonly quantization: string;
    readonly connectivity: number;
    readonly expansion_add: number;
    readonly expansion_search: number;
    readonly multi: boolean;
  }) => UsearchStore;
}

/** An index of usearch; every call is synchronous. */
export interface UsearchStore {
  add(keys: BigUint64Array, vectors: Float32Array | Int8Array, threads: number): void;
  /** `keys` is queries x k; of query i only the first `counts[i]` are rows. For one query there are no counts. */
  search(
    vectors: Float32Array | Int8Array,
    k: number,
    threads: number,
  ): { readonly keys: BigUint64Array; readonly counts?: BigUint64Array };
}
