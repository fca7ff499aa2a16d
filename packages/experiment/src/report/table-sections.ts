import type { AnswersSideBySide, ExperimentReport } from '../analysis/report.js';
import { describeArm } from './arm-text.js';
import { markerInText, parts } from './charts.js';
import { html, type Markup } from './markup.js';
import type { Names } from './names.js';
import { intervalText, numberText, percentText, signedText } from './numbers-as-text.js';

const verdictKinds = {
  'cannot-answer': ['?', 'Cannot answer'],
  effect: ['✓', 'Effect found'],
  'no-effect-found': ['○', 'No effect found'],
} as const;

export function verdictSection({ verdict }: ExperimentReport): Markup {
  const [icon, word] = verdictKinds[verdict.kind];
  const list = (lines: readonly string[], none: string) =>
    lines.length === 0 ? html`<p>${none}</p>` : html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
  return html`<section id="verdict" class="verdict ${verdict.kind}" aria-labelledby="verdict-title">
<p class="badge"><span aria-hidden="true">${icon}</span> ${word}</p>
<h2 id="verdict-title">${verdict.headline}</h2>
<div class="two"><div><h3>What was found</h3>${list(verdict.findings, 'Nothing that can be stated.')}</div>
<div class="limits"><h3>What cannot be concluded</h3>${list(verdict.limits, 'No limits were stated.')}</div></div></section>`;
}

const statusIcons = { ok: ['✓', 'OK'], warning: ['!', 'Warning'], failed: ['✕', 'Failed'] } as const;

export function checksSection({ checks }: ExperimentReport): Markup {
  return html`<ul class="checks">${checks.map(({ name, status, text }) => {
    const [icon, word] = statusIcons[status];
    return html`<li class="${status}"><span class="status"><span class="icon" aria-hidden="true">${icon}</span>${word}</span><div><strong>${sentenceCase(name)}</strong><p>${text}</p></div></li>`;
  })}</ul>`;
}

const sentenceCase = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

export function departuresSection({ departures }: ExperimentReport): Markup {
  if (departures.length === 0)
    return html`<p class="none"><span aria-hidden="true">✓</span> None. The runs follow the plan that was written before the first of them.</p>`;
  return html`<ul class="checks">${departures.map(({ kind, text }) => html`<li class="warning"><span class="status"><span class="icon" aria-hidden="true">!</span>${sentenceCase(kind.replaceAll('-', ' '))}</span><div><p>${text}</p></div></li>`)}</ul>`;
}

export function collapseSection(report: ExperimentReport, names: Names): Markup {
  const measures = names.ordered(report.collapse);
  const shown = 8;
  const cell = (measure: string, stratum: string) => {
    const found = report.collapse.find((one) => one.measure === measure && one.stratum === stratum);
    if (!found) return html`<td>none</td>`;
    const { start, end, interval, changeInDeviations } = found;
    const word = interval[1] < 0 ? '▼ fell' : interval[0] > 0 ? '▲ rose' : '– unclear';
    const share = (end - start) / Math.abs(start);
    const inPercent = Math.abs(share) < 10 ? ` (${share > 0 ? '+' : ''}${percentText(share)})` : '';
    const deviations = changeInDeviations === null ? '' : `, ${numberText(changeInDeviations, 1)} SD`;
    return html`<td><span class="values">${numberText(start)} → <strong>${numberText(end)}</strong> <b>${word}</b></span><small>${signedText(end - start)}${inPercent}${deviations}</small><small>${intervalText(interval)}</small></td>`;
  };
  const table = (
    rows: readonly string[],
    title: string,
  ) => html`<div class="scroll" role="region" tabindex="0" aria-label="${title}: scrolls sideways"><table class="collapse"><caption class="unseen">${title}: change under ${report.baseline}</caption><thead><tr><th scope="col">Measure</th>${names.strata.map((stratum) => html`<th scope="col">${names.stratumLabel(stratum)}</th>`)}</tr></thead>
<tbody>${rows.map((measure) => html`<tr><th scope="row">${names.label(measure)}</th>${names.strata.map((stratum) => cell(measure, stratum))}</tr>`)}</tbody></table></div>`;
  return html`<p>What training with ${report.baseline} changed, from the start model to the end, with its 95 % interval over runs, in the unit of the measure, in percent, and in standard deviations (SD) of a run. Where nothing fell, nothing could be averted.</p>
${table(measures.slice(0, shown), 'Collapse of the baseline')}
${measures.length > shown && html`<details class="more"><summary>${measures.length - shown} more measures</summary>${table(measures.slice(shown), 'Other measures')}</details>`}`;
}

export function varianceSection({ variance }: ExperimentReport, names: Names): Markup {
  if (variance.length === 0) return html`<p>Not computed.</p>`;
  return html`<p>Which part of the variance of a run's value comes from the run, from the choice of prompts and from the answers.</p>
<ul class="key"><li><i class="part0"></i>runs</li><li><i class="part1"></i>prompts</li><li><i class="part2"></i>answers</li></ul>
<div class="scroll" role="region" tabindex="0" aria-label="Variance: scrolls sideways"><table class="variance"><caption class="unseen">Shares of the variance</caption><thead><tr><th scope="col">Measure</th><th scope="col">Split</th><th scope="col" class="number">Runs</th><th scope="col" class="number">Prompts</th><th scope="col" class="number">Answers</th><th scope="col">Advice</th></tr></thead>
<tbody>${variance.map(({ measure, runs, prompts, answers, advice }) => html`<tr><th scope="row">${names.label(measure)}</th><td>${parts([runs, prompts, answers])}</td><td class="number">${percentText(runs)}</td><td class="number">${percentText(prompts)}</td><td class="number">${percentText(answers)}</td><td class="prose">${advice}</td></tr>`)}</tbody></table></div>`;
}

export function answersSection({ answers }: ExperimentReport, names: Names): Markup {
  if (answers.length === 0) return html`<p>The report has no answers.</p>`;
  return html`<p>Answers to the same held-out prompts, as the models wrote them. Single answers prove nothing; they show what the figures are about.</p>
${answers.map((one, index) => promptAnswers(one, index === 0, names))}`;
}

function promptAnswers({ id, prompt, stratum, answers }: AnswersSideBySide, open: boolean, names: Names): Markup {
  const arms = [...new Set(answers.map((answer) => answer.arm))];
  const goodness = (good: boolean | null) =>
    good === null ? '' : good ? html`<b class="good">✓ good</b>` : html`<b>✕ not good</b>`;
  return html`<details class="answers"${open && html` open`}><summary><span class="prompt" dir="auto">${prompt}</span><small>${names.stratumLabel(stratum)} · ${id}</small></summary>
<div class="columns">${arms.map((arm) => html`<div><h3>${markerInText(names.armIndex(arm))}${arm === 'start' ? 'start model' : arm}</h3>${answers.filter((answer) => answer.arm === arm).map(({ text, reward, good, seed }) => html`<blockquote><p dir="auto">${text === '' ? html`<em>empty answer</em>` : text}</p><footer>${goodness(good)}<span>reward ${numberText(reward)}</span>${seed !== null && html`<span>seed ${seed}</span>`}</footer></blockquote>`)}</div>`)}</div></details>
`;
}

export function planSection(report: ExperimentReport, names: Names): Markup {
  const { plan } = report;
  const list = (entries: readonly (readonly [string, string])[]) =>
    html`<dl>${entries.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>`;
  const settings = Object.entries(plan.settings).map(
    ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
  );
  return html`${list([
    ['Hypothesis', plan.hypothesis],
    ['Written', plan.created],
    ['Primary measure', names.label(plan.primary)],
    ['Secondary family', plan.secondary.map(names.label).join(', ') || 'none'],
    ['Strata', report.strata.map(({ name, prompts }) => `${name} (${prompts} held-out prompts)`).join(', ')],
    ['Seeds', plan.seeds.join(', ')],
    ['Stopping', plan.stopping],
    ['Level and power', `alpha ${plan.alpha}; detectable effects at power ${plan.power}`],
  ])}
<h3>Arms</h3><div class="scroll" role="region" tabindex="0" aria-label="Arms: scrolls sideways"><table><caption class="unseen">Arms</caption><thead><tr><th scope="col">Arm</th><th scope="col">What it does</th><th scope="col" class="number">Runs</th><th scope="col" class="number">CPU minutes</th></tr></thead><tbody>${report.arms.map(({ arm, runs, cpuSeconds }, i) => html`<tr><th scope="row">${markerInText(i)}${arm.name}</th><td class="prose">${describeArm(arm)}</td><td class="number">${runs}</td><td class="number">${numberText(cpuSeconds / 60)}</td></tr>`)}</tbody></table></div>
<details class="more"><summary>Settings, digests and environment</summary><h3>Settings</h3>${list(settings)}<h3>Digests</h3>${list(Object.entries(plan.digests))}<h3>Environment</h3>${list(Object.entries(report.environment))}</details>`;
}

export function commandsSection({ commands }: ExperimentReport): Markup {
  return html`<ol class="commands">${commands.map((command, i) => html`<li><pre tabindex="0"><code>${command}</code></pre><button type="button" class="copy needs-script" aria-label="Copy command ${i + 1}">Copy</button></li>`)}</ol><p class="unseen" id="copied" aria-live="polite"></p>`;
}
