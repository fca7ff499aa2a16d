import type { Effect, ExperimentReport } from '../analysis/report.js';
import { forest } from './charts.js';
import { html, type Markup } from './markup.js';
import { intervalText, numberText, pText, signedText } from './numbers-as-text.js';

const columns = [
  ['measure', 'Measure'],
  ['arm', 'Arm'],
  ['stratum', 'Stratum'],
  ['family', 'Family'],
  ['baseline', 'Baseline'],
  ['value', 'Arm mean'],
  ['difference', 'Difference'],
  ['interval', '95 % interval'],
  ['p', 'p'],
  ['holm', 'Holm p'],
  ['detectable', 'Detectable'],
] as const;

/**
 * All effects in one table. The script of the page sorts, filters and exports it; `data-value` holds what it sorts by and exports.
 * Without a script, all rows are there.
 */
export function effectTable(report: ExperimentReport, label: (measure: string) => string): Markup {
  const { effects, plan } = report;
  const reaches = new Map<string, number>();
  for (const { measure, interval, detectable } of effects) {
    const reach = Math.max(...interval.map(Math.abs), detectable ?? 0, reaches.get(measure) ?? 0);
    reaches.set(measure, reach);
  }
  const families = ['primary', 'secondary', 'exploratory'].filter((family) =>
    effects.some((one) => one.family === family),
  );
  const arms = [...new Set(effects.map((effect) => effect.arm))];
  const strata = [...new Set(effects.map((effect) => effect.stratum))];
  return html`<form class="controls needs-script" id="filters">
${select('family', 'Family', families, families[0])}${select('stratum', 'Stratum', strata)}${select('arm', 'Arm', arms)}
<p id="row-count" aria-live="polite"></p><button type="button" id="csv">Save as CSV</button></form>
<div class="scroll" role="region" tabindex="0" aria-label="Effects: scrolls sideways">
<table id="effects"><caption class="unseen">Each arm minus ${report.baseline}, one value per run</caption>
<thead><tr>${columns.map(([key, title]) => html`<th scope="col" class="${numeric(key)}" data-key="${key}"><button type="button">${title}</button></th>`)}</tr></thead>
<tbody>${effects.map((effect) => row(effect, label(effect.measure), reaches.get(effect.measure)!, plan.alpha))}</tbody></table></div>`;
}

const numeric = (key: string) => (['measure', 'arm', 'stratum', 'family', 'interval'].includes(key) ? key : 'number');

function select(name: string, title: string, values: readonly string[], chosen?: string): Markup {
  return html`<label>${title} <select name="${name}"><option value="">all</option>${values.map((value) => html`<option value="${value}"${value === chosen && html` selected`}>${value}</option>`)}</select></label>`;
}

function row(effect: Effect, label: string, reach: number, alpha: number): Markup {
  const { interval, p, pHolm, detectable, family } = effect;
  const decided = pHolm ?? (family === 'primary' ? p : null);
  const found = decided !== null && decided < alpha;
  const number = (value: number | null, text: string) =>
    html`<td class="number" data-value="${value ?? ''}">${text}</td>`;
  const text = (value: string, shown = value) => html`<td data-value="${value}">${shown}</td>`;
  return html`<tr${found && html` class="found"`} data-family="${family}" data-stratum="${effect.stratum}" data-arm="${effect.arm}"><th scope="row" data-value="${effect.measure}">${label}</th>${text(effect.arm)}${text(effect.stratum)}${text(family)}${number(effect.baselineMean, numberText(effect.baselineMean))}${number(effect.armMean, numberText(effect.armMean))}${number(effect.difference, signedText(effect.difference))}<td data-value="${interval.join(' to ')}">${forest({ value: effect.difference, interval, detectable, reach })}<span>${intervalText(interval)}</span></td>${number(p, pText(p))}${number(pHolm, found ? `${pText(pHolm)} ✓` : pText(pHolm))}${number(detectable, detectable === null ? 'none' : `± ${numberText(detectable)}`)}</tr>
`;
}
