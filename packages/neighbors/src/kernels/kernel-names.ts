/** The kernels: files of the folder `assembly`. */
export const kernelNames = ['dot'] as const;

export type KernelName = (typeof kernelNames)[number];
