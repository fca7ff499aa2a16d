import type { DensityReport } from '@rarefy/density';
import { table } from '../terminal/table.js';
import type { Agreement } from './measure-prompts.js';

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** What weights do to the draws, and how far they agree with others, for a terminal. */
export function weightTables(effect: Omit<DensityReport, 'warnings'>, agreement: Agreement | undefined): string {
  const effectTable = table([
    ['prompts', 'ESS/N', 'max/min', 'draws of rarest 1 %', 'of rarest 10 %'],
    [
      String(effect.rows),
      effect.essOverN.toFixed(3),
      effect.maxOverMin.toPrecision(3),
      percent(effect.rarest1Share),
      percent(effect.rarest10Share),
    ],
  ]);
  if (!agreement) return effectTable;
  const { name, spearman, rarest1Overlap, rarest10Overlap, totalVariation } = agreement;
  const agreementTable = table([
    ['compared with', 'rank correlation', 'same rarest 1 %', 'same rarest 10 %', 'draws elsewhere'],
    [
      name,
      spearman === undefined ? 'none' : spearman.toFixed(3),
      percent(rarest1Overlap),
      percent(rarest10Overlap),
      totalVariation === undefined ? '' : percent(totalVariation),
    ],
  ]);
  return `${effectTable}\n\n${agreementTable}`;
}
