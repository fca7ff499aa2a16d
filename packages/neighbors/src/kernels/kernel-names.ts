/** The kernels: files of the folder `assembly`. */
export const kernelNames = ['dot', 'products'] as const;

export type KernelName = (typeof kernelNames)[number];
