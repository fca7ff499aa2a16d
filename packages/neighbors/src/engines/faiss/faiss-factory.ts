import { InvalidArgumentError } from '@rarefy/core';

/** What a factory string requires of the rows. */
export interface FaissFactory {
  /** Whether all rows are compared in float32. */
  readonly exact: boolean;
  /** Least number of rows; with fewer, faiss would end the process. */
  readonly fewestRows: number;
  /** Rows to train with; faiss would use only a part of more. 0 if there is no training. */
  readonly trainingRows: number;
}

const codes = String.raw`(?:,?(?:Flat|SQ(?:4|6|8|fp16|bf16)|PQ(?<parts>\d+)(?:x(?<bits>\d+))?))`;
const coarse = String.raw`(?:IVF(?<lists>\d+)(?:_HNSW(?<listLinks>\d+))?|HNSW(?<links>\d+))`;
const factory = new RegExp(`^${coarse}?${codes}?$`);

/** Allowed range of each number. With others, faiss ends the process or does not return. */
const ranges: Readonly<Record<string, readonly [number, number]>> = {
  lists: [1, 2 ** 24],
  listLinks: [2, 1024],
  links: [2, 1024],
  parts: [1, 65_536],
  bits: [1, 24],
};

/**
 * Parses the factory strings whose training needs are known: `Flat`, `SQ8`, `PQ16x8`, `HNSW32`, `IVF256` and their combinations,
 * such as `IVF256,Flat`.
 * @throws InvalidArgumentError for any other string, or a number out of range.
 */
export function parseFaissFactory(text: string): FaissFactory {
  const groups = text === '' ? undefined : factory.exec(text)?.groups;
  if (!groups) {
    throw new InvalidArgumentError(
      `factory must be a string like Flat, HNSW32, IVF256,Flat, IVF256,PQ16 or SQ8, got ${JSON.stringify(text)}`,
    );
  }
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = groups[name];
    if (value === undefined || (Number(value) >= least && Number(value) <= most)) continue;
    throw new InvalidArgumentError(`factory ${text}: the number ${value} must be from ${least} to ${most}`);
  }
  const lists = Number(groups.lists ?? 0);
  const centroids = groups.parts === undefined ? 0 : 2 ** Number(groups.bits ?? 8);
  const fewestRows = Math.max(1, 39 * Math.max(lists, centroids)); // faiss requires 39 rows per centroid
  const isScalar = /SQ\d/.test(text);
  return {
    exact: text === 'Flat',
    fewestRows,
    trainingRows: 64 * Math.max(lists, centroids, isScalar ? 256 : 0),
  };
}
