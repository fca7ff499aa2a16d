import type { ByDecile, Curve, ExperimentReport } from '../analysis/report.js';
import { type ChartText, histogram, lineChart, markerInText, type Series, scatter, slopes } from './charts.js';
import { html, type Markup } from './markup.js';
import type { Names } from './names.js';
import { numberText, percentText, pText, signedText } from './numbers-as-text.js';

const unique = <Value>(values: readonly Value[]) => [...new Set(values)];

/** Buttons that show one stratum at a time. Without a script, the page shows all. */
function stratumSwitch(names: Names, name: string): Markup {
  return html`<fieldset class="switch needs-script"><legend class="unseen">Stratum</legend>${names.strata.map((stratum, i) => html`<label><input type="radio" name="${name}" value="${stratum}"${i === 0 && html` checked`}><span>${names.stratumLabel(stratum)}</span></label>`)}</fieldset>`;
}

/** The marker and color of each arm. Pressing one hides it in all charts. */
function legend(report: ExperimentReport, names: Names, start = false): Markup {
  const item = (arm: string) =>
    html`<li><button type="button" aria-pressed="true" data-arm="${arm}">${markerInText(names.armIndex(arm))}${arm}</button></li>`;
  return html`<ul class="legend" aria-label="Arms">${report.arms.map(({ arm }) => item(arm.name))}${start && item('start')}</ul>`;
}

/** The figures of a chart as a table: a row per point, a column per line. */
function figures(
  caption: string,
  first: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): Markup {
  return html`<details class="figures"><summary>Figures<span class="unseen"> of: ${caption}</span></summary><div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table><caption class="unseen">${caption}</caption><thead><tr><th scope="col">${first}</th>${heads.map((head) => html`<th scope="col" class="number">${head}</th>`)}</tr></thead><tbody>${rows.map(([head, ...cells]) => html`<tr><th scope="row">${head}</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}</tr>`)}</tbody></table></div></details>`;
}

const panel = (stratum: string | false, ...content: readonly (Markup | false)[]) =>
  html`<div class="panel"${stratum !== false && html` data-panel="${stratum}"`}>${content}</div>`;

const withInterval = (mean: number, [low, high]: readonly [number, number]) =>
  low === high ? numberText(mean) : `${numberText(mean)} (${numberText(low)} to ${numberText(high)})`;

/** The first six measures, and the others folded and without their figures, which would be a third of the page. */
export function curvesSection(report: ExperimentReport, names: Names): Markup {
  const measures = names.ordered(report.curves);
  const panels = (measure: string, withFigures: boolean) =>
    names.strata.map((stratum) => {
      const curves = report.curves.filter((one) => one.measure === measure && one.stratum === stratum);
      return curves.length > 0 && curvePanel(curves, withFigures, names);
    });
  if (measures.length === 0) return html`<p>There are no curves.</p>`;
  const [first, rest] = [measures.slice(0, 6), measures.slice(6)];
  return html`<p>Mean over runs, with its 95 % interval as a band, on held-out prompts. Press an arm to hide it.</p>
${stratumSwitch(names, 'curves-stratum')}${legend(report, names)}<div class="grid" data-switch="curves-stratum">${first.map((measure) => panels(measure, true))}</div>
${rest.length > 0 && html`<details class="more"><summary>${rest.length} more measures over steps</summary><div class="grid" data-switch="curves-stratum">${rest.map((measure) => panels(measure, false))}</div></details>`}`;
}

function curvePanel(curves: readonly Curve[], withFigures: boolean, names: Names): Markup {
  const { measure, stratum } = curves[0]!;
  const [title, where] = [names.label(measure), names.stratumLabel(stratum)];
  const series = curves.map(({ arm, points }) => ({
    arm: names.armIndex(arm),
    name: arm,
    points: points.map(({ step, ...rest }) => ({ x: step, ...rest })),
  }));
  const ends = series.map(
    ({ name, points }) => `${name} from ${numberText(points[0]?.mean)} to ${numberText(points.at(-1)?.mean)}`,
  );
  const finding = `${where}: ${ends.join('; ')}.`;
  const chart = lineChart({ title, finding, series, xLabel: 'steps', intervals: 'bands' });
  return panel(stratum, chart, withFigures && seriesFigures(`${title}, ${where}`, 'Step', series));
}

function seriesFigures(caption: string, first: string, series: readonly Series[]): Markup {
  const xs = unique(series.flatMap((one) => one.points.map((point) => point.x))).sort((a, b) => a - b);
  const rows = xs.map((x) => [
    String(x),
    ...series.map(({ points }) => {
      const point = points.find((one) => one.x === x);
      return point ? withInterval(point.mean, point.interval ?? [point.mean, point.mean]) : 'none';
    }),
  ]);
  return figures(
    caption,
    first,
    series.map((one) => one.name),
    rows,
  );
}

export function seedsSection(report: ExperimentReport, names: Names): Markup {
  const { primary } = report.plan;
  const value = (arm: string, seed: number, stratum: string) =>
    report.runs.find((run) => run.arm === arm && run.seed === seed)?.values[primary]?.[stratum];
  const seeds = unique(report.runs.map((run) => run.seed)).sort((a, b) => a - b);
  const others = report.arms.map(({ arm }) => arm.name).filter((arm) => arm !== report.baseline);
  const panels = names.strata.map((stratum) => {
    const domain = report.runs.flatMap((run) => run.values[primary]?.[stratum] ?? []);
    return others.map((arm) => {
      const pairs = seeds.flatMap((seed) => {
        const [from, to] = [value(report.baseline, seed, stratum), value(arm, seed, stratum)];
        return from == null || to == null ? [] : [{ seed, from, to }];
      });
      if (pairs.length === 0) return false;
      const up = pairs.filter(({ from, to }) => to > from).length;
      const down = pairs.filter(({ from, to }) => to < from).length;
      const finding = `${up} of ${pairs.length} seeds higher, ${down} lower`;
      const pairing = report.effects.find(
        (one) => one.arm === arm && one.measure === primary && one.stratum === stratum,
      )?.pairing;
      const text = [
        finding,
        pairing?.correlation != null && `correlation within seeds ${numberText(pairing.correlation, 2)}`,
        pairing?.p != null && `sign-flip p ${pText(pairing.p)}`,
      ]
        .filter(Boolean)
        .join('; ');
      const caption = `${arm} against ${report.baseline}, ${names.stratumLabel(stratum)}`;
      const chart = slopes({
        title: arm,
        finding: `${names.stratumLabel(stratum)}: ${text}.`,
        arm: names.armIndex(arm),
        left: report.baseline,
        right: arm.length > 20 ? 'this arm' : arm,
        domain,
        pairs,
      });
      const rows = pairs.map(({ seed, from, to }) => [
        String(seed),
        numberText(from),
        numberText(to),
        signedText(to - from),
      ]);
      return panel(
        stratum,
        chart,
        html`<p class="note">${text}.</p>`,
        figures(caption, 'Seed', [report.baseline, arm, 'Difference'], rows),
      );
    });
  });
  return html`<p>Measured after training: ${names.label(primary)}. Each thin line joins the two runs of one seed (dashed: lower than ${report.baseline}); the thick line joins the means. All panels share one scale.</p>
${stratumSwitch(names, 'seeds-stratum')}<div class="grid" data-switch="seeds-stratum">${panels}</div>`;
}

const tenths = Array.from({ length: 10 }, (_, i) => i + 1);
const tenthTicks = tenths.map((at) => ({ at, text: String(at) }));

export function drawsSection(report: ExperimentReport, names: Names): Markup {
  const rarities = unique(report.draws.map((one) => one.rarity)).sort(
    (a, b) => Number(a === 'sampler') - Number(b === 'sampler'),
  );
  const { edges, counts, logarithmic } = report.density;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const densityText: ChartText = {
    title: 'Density of the training prompts',
    finding: `${total} prompts in ${counts.length} bins.`,
  };
  const charts = rarities.map((rarity) => {
    const draws = report.draws.filter((one) => one.rarity === rarity);
    const circular = rarity === 'sampler';
    const series = draws.map(({ arm, deciles }) => ({
      arm: names.armIndex(arm),
      name: arm,
      points: deciles.map((mean, i) => ({ x: i + 1, mean })),
    }));
    const rarest = draws.map(({ arm, deciles }) => `${arm} ${percentText(deciles[0]!)}`).join(', ');
    const title = circular ? "By the sampler's own density (circular)" : `By ${rarity}`;
    const chart = lineChart({
      title,
      finding: `Share of draws of the rarest tenth: ${rarest}.`,
      series,
      xLabel: 'tenth of the prompts (1: the rarest)',
      xTicks: tenthTicks,
      yPercent: true,
      intervals: 'bands',
      reference: 0.1,
    });
    const correlations = unique(
      draws.flatMap(({ rankCorrelation }) => (rankCorrelation === null ? [] : [numberText(rankCorrelation, 2)])),
    );
    const note = circular
      ? 'The density that made the weights. It shows that weights were applied, not that the prompts drawn are rare by any other measure.'
      : correlations.length > 0
        ? `Rank correlation of density with commonness: ${correlations.join(', ')}.`
        : 'No arm uses a density.';
    const rows = tenths.map((tenth, i) => [
      String(tenth),
      ...draws.map(({ deciles }) => percentText(deciles[i] ?? 0, 1)),
    ]);
    return html`<div class="panel${circular && ' circular'}">${chart}<p class="note">${circular && html`<strong>Circular.</strong> `}${note}</p>${figures(
      title,
      'Tenth',
      draws.map((one) => one.arm),
      rows,
    )}</div>`;
  });
  const bins = counts.map((count, i) => [`${numberText(edges[i])} to ${numberText(edges[i + 1])}`, String(count)]);
  return html`<p>Share of the draws that went to each tenth of the training prompts. Uniform draws give every tenth about 10 % (dashed line).</p>${legend(report, names)}<div class="grid">${charts}
${counts.length > 0 && panel(false, histogram({ ...densityText, edges, counts, logarithmic, xLabel: logarithmic ? 'density (logarithmic)' : 'density' }), html`<p class="note">Larger is more crowded. This density drives the samplers.</p>`, figures(densityText.title, 'Density', ['Prompts'], bins))}</div>`;
}

export function decilesSection(report: ExperimentReport, names: Names): Markup {
  const measures = names.ordered(report.byDecile);
  const charts = measures.map((measure) => {
    const lines: readonly ByDecile[] = report.byDecile.filter((one) => one.measure === measure);
    const series = lines.map(({ arm, deciles }) => ({
      arm: names.armIndex(arm),
      name: arm,
      points: deciles.map(({ mean, interval }, i) => ({ x: i + 1, mean, interval })),
    }));
    const ends = lines.map(
      ({ arm, deciles }) =>
        `${arm} ${numberText(deciles[0]?.mean)} among the rarest, ${numberText(deciles.at(-1)?.mean)} among the most crowded`,
    );
    const title = names.label(measure);
    const chart = lineChart({
      title,
      finding: `${ends.join('; ')}.`,
      series,
      xLabel: 'tenth by density (1: the rarest)',
      xTicks: tenthTicks,
      intervals: 'whiskers',
    });
    return panel(false, chart, seriesFigures(`${title} by tenth`, 'Tenth', series));
  });
  return html`<p>After training, by density of the held-out prompts, the rarest tenth first. Whiskers are 95 % intervals over runs.</p>${legend(report, names)}<div class="grid">${charts}</div>`;
}

export function tradeSection(report: ExperimentReport, names: Names): Markup {
  const { primary } = report.plan;
  const panels = names.strata.map((stratum) => {
    const at = (arm: string, values: ExperimentReport['start']) => {
      const [x, y] = [values.reward?.[stratum], values[primary]?.[stratum]];
      return x == null || y == null ? [] : [{ arm: names.armIndex(arm), name: arm, x, y }];
    };
    const points = [...at('start', report.start), ...report.runs.flatMap((run) => at(run.arm, run.values))];
    if (points.length === 0) return false;
    const means = report.arms.map(({ arm }) => {
      const own = points.filter((point) => point.name === arm.name);
      const mean = (axis: 'x' | 'y') => own.reduce((sum, point) => sum + point[axis], 0) / own.length;
      return own.length === 0 ? '' : `${arm.name} reward ${numberText(mean('x'))}, ${numberText(mean('y'))}`;
    });
    const title = names.stratumLabel(stratum);
    const chart = scatter({
      title,
      finding: `Means per arm: ${means.filter(Boolean).join('; ')}.`,
      points,
      xLabel: 'reward',
    });
    const rows = points.map(({ name, x, y }) => [name, numberText(x), numberText(y)]);
    return panel(
      false,
      chart,
      figures(`Reward and ${names.label(primary)}, ${title}`, 'Run', ['Reward', names.label(primary)], rows),
    );
  });
  return html`<p>One marker per run: reward across, ${names.label(primary)} up. The start model is the star. Up and to the right is better in both.</p>${legend(report, names, true)}<div class="grid">${panels}</div>`;
}
