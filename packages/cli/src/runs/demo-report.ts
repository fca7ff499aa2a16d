import type { DensityReport } from '@rarefy/density';
import { percent, table } from '../shell/text.js';
import type { ArmReport } from './demo-arm.js';

export interface DemoReport {
  readonly backend: string;
  readonly backendReason: string;
  readonly pairs: number;
  /** Distinct prompts, the held-out ones included. */
  readonly prompts: number;
  readonly heldOut: number;
  /** GRPO steps of each arm. */
  readonly steps: number;
  readonly seconds: number;
  readonly seed: number;
  /** Effect of the weights of the density-aware arm. */
  readonly density: DensityReport;
  readonly arms: { readonly uniform: ArmReport; readonly densityAware: ArmReport };
}

const figures = [
  ['draws of the 10 % rarest', ({ rareShare }: ArmReport) => percent(rareShare)],
  ['prompts drawn at least once', ({ coverage }: ArmReport) => percent(coverage)],
  ['mean reward, held out', ({ rewardMean }: ArmReport) => rewardMean.toFixed(3)],
  ['vocabulary ratio', ({ vocabularyRatio }: ArmReport) => vocabularyRatio.toFixed(4)],
  ['em-dashes per 1,000 words', ({ emDashPer1000Words }: ArmReport) => emDashPer1000Words.toFixed(2)],
] as const;

function rows({ arms }: DemoReport): string[][] {
  return [
    ['', 'uniform', 'density-aware'],
    ...figures.map(([name, figure]) => [name, figure(arms.uniform), figure(arms.densityAware)]),
  ];
}

export function reportTable(report: DemoReport): string {
  return table(rows(report));
}

/** The report for people. Every figure comes from the run. */
export function markdownReport(report: DemoReport): string {
  const { backend, backendReason, pairs, prompts, heldOut, steps, seconds, seed, density } = report;
  const [head, ...body] = rows(report).map((cells) => `| ${cells.join(' | ')} |`);
  return `# Uniform against density-aware sampling

${pairs} pairs with ${prompts} distinct prompts, ${heldOut} of them held out; ${steps} GRPO steps per arm, seed ${seed};
backend ${backend} (${backendReason}); ${seconds.toFixed(0)} s.

The effective sample size of the density-aware weights is ${(100 * density.essOverN).toFixed(0)} % of the prompts. The largest weight is
${density.maxOverMin.toPrecision(3)} times the smallest. In expectation, the 10 % rarest prompts get ${percent(density.rarest10Share)} of the draws.

${head}
| --- | ---: | ---: |
${body.join('\n')}

Each arm is one short run: the draws show that the treatment works as intended; the other rows are not evidence of an effect.
`;
}
