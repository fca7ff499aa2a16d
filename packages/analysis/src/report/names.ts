import type { ExperimentReport } from '../analysis/report.js';

/** What arms, measures and strata are called on the page. */
export interface Names {
  /** Label of a measure. */
  readonly label: (measure: string) => string;
  /** Index of an arm; −1 for the start model. */
  readonly armIndex: (arm: string) => number;
  /** `all`, then the strata. */
  readonly strata: readonly string[];
  readonly stratumLabel: (stratum: string) => string;
  /** The measures of some results, in the order in which a reader needs them. */
  readonly ordered: (results: readonly { readonly measure: string }[]) => readonly string[];
}

export function namesOf(report: ExperimentReport): Names {
  const { primary, secondary } = report.plan;
  const labels = new Map(report.measures.map(({ name, label }) => [name, label]));
  const indices = new Map(report.arms.map(({ arm }, index) => [arm.name, index]));
  return {
    label: (measure) => labels.get(measure) ?? measure,
    armIndex: (arm) => indices.get(arm) ?? -1,
    strata: ['all', ...report.strata.map(({ name }) => name)],
    stratumLabel: (stratum) => (stratum === 'all' ? 'all strata' : stratum),
    ordered: (results) => {
      const present = new Set(results.map(({ measure }) => measure));
      const first = [primary, 'good', 'reward', 'kl', 'distinct-2', 'entropy', ...secondary];
      return [...new Set([...first.filter((name) => present.has(name)), ...present])];
    },
  };
}
