import type { ExperimentReport } from './report.js';

/**
 * The report as files: `report.json` with keys in sorted order, and tables for other tools, one line per row: `effects.csv`,
 * `runs.csv` (a row per run, measure and stratum; the start model is the arm `start`) and `curves.csv`. CSV as in RFC 4180, with a
 * header. Numbers that do not exist are empty. Texts that a spreadsheet would evaluate get an apostrophe in front. Deterministic.
 * @returns the text of each file by its name
 */
export function reportFiles(report: ExperimentReport): Record<string, string> {
  const { effects, start, runs, curves } = report;
  const valueRows = (arm: string, seed: number | null, values: ExperimentReport['start']) =>
    Object.entries(values).flatMap(([measure, strata]) =>
      Object.entries(strata).map(([stratum, value]) => [arm, seed, measure, stratum, value]),
    );
  return {
    'report.json': `${JSON.stringify(report, sortedKeys, 1)}\n`,
    'effects.csv': csv(
      [
        ...['arm', 'measure', 'stratum', 'family', 'baseline_mean', 'arm_mean', 'difference', 'lower', 'upper'],
        ...['bootstrap_lower', 'bootstrap_upper', 'hedges_g', 'p', 'p_holm', 'detectable', 'detectable_holm'],
        ...['pairing_correlation', 'p_sign_flip', 'share_averted'],
      ],
      effects.map((effect) => {
        const { arm, measure, stratum, family, baselineMean, armMean, difference, interval } = effect;
        const { bootstrapInterval = [null, null], hedgesG, p, pHolm, detectable, detectableHolm, pairing } = effect;
        return [
          ...[arm, measure, stratum, family, baselineMean, armMean, difference, ...interval, ...bootstrapInterval],
          ...[hedgesG, p, pHolm, detectable, detectableHolm, pairing.correlation, pairing.p, effect.shareAverted],
        ];
      }),
    ),
    'runs.csv': csv(
      ['arm', 'seed', 'measure', 'stratum', 'value'],
      [...valueRows('start', null, start), ...runs.flatMap(({ arm, seed, values }) => valueRows(arm, seed, values))],
    ),
    'curves.csv': csv(
      ['arm', 'measure', 'stratum', 'step', 'mean', 'lower', 'upper'],
      curves.flatMap(({ arm, measure, stratum, points }) =>
        points.map(({ step, mean, interval }) => [arm, measure, stratum, step, mean, ...interval]),
      ),
    ),
  };
}

type Cell = string | number | null;

/** Lists of strings and numbers as CSV: lines end with CR LF. */
export function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => `${row.map(cellText).join(',')}\r\n`).join('');
}

function cellText(value: Cell): string {
  if (value === null) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function sortedKeys(_: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
