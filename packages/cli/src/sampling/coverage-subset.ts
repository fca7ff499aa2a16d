import { farthestFirst } from '@rarefy/samplers';
import type { SubsetMethod } from './subset.js';

/** Rows that leave no other row far from all of them. */
export const coverageSubset: SubsetMethod = async (rows, { budget, seed }, call) => {
  const points = await rows.read(0, rows.rows, call);
  const { positions, distances, radius } = await farthestFirst(points, budget, { seed, ...call });
  const distance = new Float64Array(rows.rows);
  positions.forEach((position, pick) => {
    distance[position] = distances[pick]!;
  });
  return {
    positions,
    columns: { distance },
    details: { radius },
    note: `every row is within ${radius.toPrecision(3)} of a picked one`,
  };
};
