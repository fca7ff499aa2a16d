import { NotFiniteError } from '@rarefy/core';

/** Names the file in an error about numbers that were read of it. */
export async function namingFile<Result>(file: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (!NotFiniteError.isInstance(cause)) throw cause;
    throw new NotFiniteError(`${file}: ${cause.message}`, { cause });
  }
}
