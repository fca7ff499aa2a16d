/** The kernels: files of the folder `assembly`. */
export const kernelNames = ['dot', 'join', 'nn-descent'] as const;

/** The scripts of worker threads, by name: files under `src`. */
export const workerFiles = {
  join: 'exact/join/join-worker.ts',
  'nn-descent': 'nn-descent/descent-worker.ts',
} as const;

export type KernelName = (typeof kernelNames)[number];
export type WorkerName = keyof typeof workerFiles;
