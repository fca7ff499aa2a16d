import type { Effect, ExperimentReport } from '../analysis/report.js';
import { excludesZero, forest, markerInText } from './charts.js';
import { html, type Markup } from './markup.js';
import type { Names } from './names.js';
import { intervalText, numberText, percentText, pText, signedText } from './numbers-as-text.js';

/** Key, which names the column in the CSV file, title, and whether it holds numbers. */
const columns = [
  ['arm', 'Arm', false],
  ['measure', 'Measure', false],
  ['stratum', 'Stratum', false],
  ['difference', 'Difference', true],
  ['lower,upper', '95 % interval', false],
  ['p', 'p', true],
  ['holm_p', 'Holm p', true],
  ['detectable', 'Detectable', true],
  ['controls', 'Controls moved', false],
  ['baseline_mean', 'Baseline', true],
  ['arm_mean', 'Arm mean', true],
] as const;

/**
 * All effects in one table. The script of the page sorts, filters and exports it; `data-value` holds what it sorts by and exports.
 * Without a script, all rows are there.
 */
export function effectTable({ effects, plan, baseline, measures }: ExperimentReport, names: Names): Markup {
  const reaches = new Map<string, number>();
  for (const { measure, interval, detectable } of effects) {
    reaches.set(measure, Math.max(...interval.map(Math.abs), detectable ?? 0, reaches.get(measure) ?? 0));
  }
  const keyOf = ({ arm, measure, stratum }: Pick<Effect, 'arm' | 'measure' | 'stratum'>) =>
    `${arm} ${measure} ${stratum}`;
  const byKey = new Map(effects.map((effect) => [keyOf(effect), effect]));
  const controlsOf = new Map(measures.map(({ name, controls }) => [name, controls]));
  const moved = (effect: Effect) =>
    (controlsOf.get(effect.measure) ?? []).flatMap((measure) => {
      const control = byKey.get(keyOf({ ...effect, measure }));
      return control && excludesZero(control.interval) ? [`${measure} ${signedText(control.difference)}`] : [];
    });
  const measureOrder = names.ordered(effects);
  const sorted = effects.toSorted(
    (a, b) =>
      measureOrder.indexOf(a.measure) - measureOrder.indexOf(b.measure) ||
      names.strata.indexOf(a.stratum) - names.strata.indexOf(b.stratum) ||
      names.armIndex(a.arm) - names.armIndex(b.arm),
  );
  const select = (key: 'measure' | 'family' | 'stratum' | 'arm', title: string, name = (value: string) => value) => {
    const values = [...new Set(sorted.map((effect): string => effect[key]))];
    const chosen = key === 'measure' && plan.primary;
    return html`<label>${title} <select name="${key}"><option value="">all</option>${values.map((value) => html`<option value="${value}"${value === chosen && html` selected`}>${name(value)}</option>`)}</select></label>`;
  };
  return html`<form class="controls needs-script" id="filters">
${select('measure', 'Measure', names.label)}${select('family', 'Family')}${select('stratum', 'Stratum', names.stratumLabel)}${select('arm', 'Arm')}
<p id="row-count" aria-live="polite"></p><button type="button" id="csv">Save as CSV</button></form>
<div class="scroll" role="region" tabindex="0" aria-label="Effects: scrolls sideways">
<table id="effects"><caption class="unseen">Each arm minus ${baseline}, one value per run</caption>
<thead><tr>${columns.map(([key, title, isNumber]) => html`<th scope="col"${isNumber && html` class="number"`} data-key="${key}"><button type="button">${title}</button></th>`)}</tr></thead>
<tbody>${sorted.map((effect) => row(effect, names, reaches.get(effect.measure)!, plan.alpha, moved(effect)))}</tbody></table></div>`;
}

function row(effect: Effect, names: Names, reach: number, alpha: number, moved: readonly string[]): Markup {
  const { arm, measure, stratum, family, difference, interval, bootstrapInterval, p, pHolm, detectable, shareAverted } =
    effect;
  const found = pHolm !== null && pHolm <= alpha;
  const number = (value: number | null, text: string, more: Markup | false = false) =>
    html`<td class="number" data-value="${value === null ? '' : Number(value.toPrecision(7))}">${text}${more}</td>`;
  const averted =
    family === 'primary' && shareAverted !== null && html`<small>${percentText(shareAverted)} averted</small>`;
  const bootstrap = bootstrapInterval && html`<small>bootstrap ${intervalText(bootstrapInterval)}</small>`;
  return html`<tr${found && html` class="found"`} data-family="${family}"><th scope="row" data-value="${arm}">${markerInText(names.armIndex(arm))}${arm}</th><td data-value="${measure}">${names.label(measure)}</td><td data-value="${stratum}">${names.stratumLabel(stratum)}<small>${family}</small></td>${number(difference, signedText(difference), averted)}<td data-value="${interval.map((end) => Number(end.toPrecision(7))).join()}">${forest({ value: difference, interval, detectable, reach })}<small>${intervalText(interval)}</small>${bootstrap}</td>${number(p, pText(p))}${number(pHolm, found ? `✓ ${pText(pHolm)}` : pText(pHolm))}${number(detectable, detectable === null ? 'none' : `± ${numberText(detectable)}`)}<td data-value="${moved.join('; ')}">${moved.join(', ') || 'none'}</td>${number(effect.baselineMean, numberText(effect.baselineMean))}${number(effect.armMean, numberText(effect.armMean))}</tr>
`;
}
