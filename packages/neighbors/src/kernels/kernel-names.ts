/** The kernels: files of the folder `assembly`. */
export const kernelNames = ['dot', 'join'] as const;

/** The scripts of worker threads, by name: files under `src`. */
export const workerFiles = { join: 'exact/join/join-worker.ts' } as const;

export type KernelName = (typeof kernelNames)[number];
export type WorkerName = keyof typeof workerFiles;
