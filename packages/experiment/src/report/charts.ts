import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import {
  area,
  line,
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from 'd3-shape';
import { html, type Markup } from './markup.js';

type Interval = readonly [number, number];

/** One line of a chart. `arm` is the index of its arm, which sets color and marker; −1 is the start model. */
export interface Series {
  readonly arm: number;
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly mean: number; readonly interval?: Interval }[];
}

export interface ChartText {
  readonly title: string;
  /** What the chart shows, for those who cannot see it. */
  readonly finding: string;
}

const markers = [
  symbolCircle,
  symbolSquare,
  symbolTriangle,
  symbolDiamond,
  symbolCross,
  symbolWye,
  { draw: (context, size) => drawTurned(context, size) } satisfies typeof symbolTriangle,
];
const round = (value: number) => Math.round(10 * value) / 10;

/** A triangle that points down. */
function drawTurned(context: Parameters<typeof symbolTriangle.draw>[0], size: number): void {
  const y = Math.sqrt(size / (3 * Math.sqrt(3)));
  context.moveTo(0, 2 * y);
  context.lineTo(-Math.sqrt(3) * y, -y);
  context.lineTo(Math.sqrt(3) * y, -y);
  context.closePath();
}

/** The shapes that {@link marker} refers to. Once per page. */
export function markerShapes(): Markup {
  const shape = (id: string, type: typeof symbolCircle, size: number) =>
    html`<path id="${id}" d="${symbol(type, size).digits(1)() ?? ''}"/>`;
  return html`<svg class="shapes" aria-hidden="true" width="0" height="0"><defs>${markers.map((type, i) => shape(`m${i}`, type, 44))}${shape('ms', symbolStar, 70)}</defs></svg>`;
}

/** Class of the color of an arm. */
const armClass = (arm: number) => (arm < 0 ? 'start' : `a${arm % 10}`);

const markerId = (arm: number) => (arm < 0 ? 'ms' : `m${arm % markers.length}`);

/** A marker at a point of a chart. */
const marker = (arm: number, x: number, y: number) =>
  html`<use href="#${markerId(arm)}" x="${round(x)}" y="${round(y)}"/>`;

/** A marker in running text. */
export const markerInText = (arm: number) =>
  html`<svg class="mark ${armClass(arm)}" viewBox="-7 -7 14 14" aria-hidden="true"><use href="#${markerId(arm)}"/></svg>`;

const width = 330;
const height = 200;
const edge = { top: 10, right: 12, bottom: 34, left: 46 };

interface Frame {
  readonly x: ScaleContinuousNumeric<number, number>;
  readonly y: ScaleContinuousNumeric<number, number>;
  readonly xLabel: string;
  readonly xTicks?: readonly { readonly at: number; readonly text: string }[];
  readonly yPercent?: boolean;
}

function figure({ title, finding }: ChartText, { x, y, xLabel, xTicks, yPercent }: Frame, marks: Markup): Markup {
  const format = y.tickFormat(4, yPercent ? '.0%' : undefined);
  const bottom = height - edge.bottom;
  const ticks = xTicks ?? x.ticks(5).map((at) => ({ at, text: x.tickFormat(5)(at) }));
  return html`<figure class="chart"><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}. ${finding}">
<g class="grid">${y.ticks(4).map((value) => html`<path d="M${edge.left} ${round(y(value))}H${width - edge.right}"/><text x="${edge.left - 6}" y="${round(y(value) + 3.5)}" text-anchor="end">${format(value)}</text>`)}
${ticks.map(({ at, text }) => html`<text x="${round(x(at))}" y="${bottom + 15}" text-anchor="middle">${text}</text>`)}
<path class="axis" d="M${edge.left} ${bottom}H${width - edge.right}"/><text class="label" x="${(edge.left + width - edge.right) / 2}" y="${height - 3}" text-anchor="middle">${xLabel}</text></g>
${marks}</svg></figure>`;
}

/** A linear scale over values and 0.04 of their range beyond, with round ends. */
function verticalScale(values: readonly number[]) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const beyond = high > low ? 0.04 * (high - low) : Math.abs(high) * 0.1 || 1;
  return scaleLinear([low - beyond, high + beyond], [height - edge.bottom, edge.top]);
}

interface LineChart extends ChartText {
  readonly series: readonly Series[];
  readonly xLabel: string;
  /** Intervals as bands, for curves over steps, or as whiskers, for tenths. */
  readonly intervals: 'bands' | 'whiskers';
  readonly xTicks?: Exclude<Frame['xTicks'], undefined>;
  readonly yPercent?: boolean;
  /** Value of a dashed horizontal line. */
  readonly reference?: number;
}

/** One line per arm, with the interval of each point. */
export function lineChart(chart: LineChart): Markup {
  const { series, intervals, reference } = chart;
  const points = series.flatMap((one) => one.points);
  const xs = points.map((point) => point.x);
  const whiskers = intervals === 'whiskers';
  const inset = whiskers ? 14 : 6;
  const x = scaleLinear([Math.min(...xs), Math.max(...xs)], [edge.left + inset, width - edge.right - inset]);
  const y = verticalScale([
    ...points.flatMap(({ mean, interval = [mean, mean] }) => [mean, ...interval]),
    ...(reference === undefined ? [] : [reference]),
    ...(chart.yPercent ? [0] : []),
  ]);
  const marks = series.map(({ arm, name, points }, index) => {
    const shift = whiskers ? (index - (series.length - 1) / 2) * Math.min(3, 18 / series.length) : 0;
    const placed = points.map(({ x: at, mean, interval = [mean, mean] }) => ({
      x: x(at) + shift,
      y: y(mean),
      low: y(interval[0]),
      high: y(interval[1]),
    }));
    const ends = whiskers
      ? html`<path class="whisker" d="${placed.map((point) => `M${round(point.x)} ${round(point.low)}V${round(point.high)}`).join('')}"/>`
      : html`<path class="band" d="${
          area<(typeof placed)[0]>(
            (d) => d.x,
            (d) => d.low,
            (d) => d.high,
          ).digits(1)(placed) ?? ''
        }"/>`;
    const path =
      line<(typeof placed)[0]>(
        (d) => d.x,
        (d) => d.y,
      ).digits(1)(placed) ?? '';
    return html`<g class="${armClass(arm)}" data-arm="${name}">${ends}<path class="line" d="${path}"/>${placed.map((point) => marker(arm, point.x, point.y))}</g>`;
  });
  const level =
    reference !== undefined &&
    html`<path class="level" d="M${edge.left} ${round(y(reference))}H${width - edge.right}"/>`;
  return figure(chart, { ...chart, x, y }, html`${level}${marks}`);
}

interface Scatter extends ChartText {
  readonly xLabel: string;
  readonly points: readonly { readonly arm: number; readonly name: string; readonly x: number; readonly y: number }[];
}

export function scatter(chart: Scatter): Markup {
  const xs = chart.points.map((point) => point.x);
  const x = scaleLinear([Math.min(...xs), Math.max(...xs)], [edge.left + 10, width - edge.right - 10]).nice(4);
  const y = verticalScale(chart.points.map((point) => point.y));
  const marks = chart.points.map(
    (point) =>
      html`<g class="${armClass(point.arm)} point" data-arm="${point.name}">${marker(point.arm, x(point.x), y(point.y))}</g>`,
  );
  return figure(chart, { x, y, xLabel: chart.xLabel }, html`${marks}`);
}

interface Histogram extends ChartText {
  readonly xLabel: string;
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  readonly logarithmic: boolean;
}

export function histogram(chart: Histogram): Markup {
  const { edges, counts } = chart;
  const domain = [edges[0]!, edges.at(-1)!];
  const range = [edge.left, width - edge.right];
  const x = chart.logarithmic && domain[0]! > 0 ? scaleLog(domain, range) : scaleLinear(domain, range);
  const y = scaleLinear([0, Math.max(...counts)], [height - edge.bottom, edge.top]);
  const marks = counts.map((count, i) => {
    const [left, right] = [x(edges[i]!), x(edges[i + 1]!)];
    return html`<rect class="bar" x="${round(left + 0.5)}" y="${round(y(count))}" width="${round(Math.max(right - left - 1, 0.5))}" height="${round(y(0) - y(count))}"/>`;
  });
  const round125 = (at: number) => /^[125]/.test(at.toExponential());
  const ticks = x.ticks(5).filter((at) => !chart.logarithmic || round125(at));
  const xTicks = ticks.map((at) => ({ at, text: String(Number(at.toPrecision(3))) }));
  return figure(chart, { x, y, xLabel: chart.xLabel, xTicks }, html`${marks}`);
}

interface Slopes extends ChartText {
  readonly arm: number;
  readonly left: string;
  readonly right: string;
  /** Values of all panels that share this one's scale. */
  readonly domain: readonly number[];
  readonly pairs: readonly { readonly seed: number; readonly from: number; readonly to: number }[];
}

/** One line per seed, from its run of the baseline to its run of the arm; the thick line joins the means. */
export function slopes(chart: Slopes): Markup {
  const { pairs, arm } = chart;
  const y = verticalScale(chart.domain);
  const x = scaleLinear([0, 1], [edge.left + 44, width - edge.right - 44]);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const across = (from: number, to: number) => `M${x(0)} ${round(y(from))}L${x(1)} ${round(y(to))}`;
  const marks = pairs.map(
    ({ from, to }) =>
      html`<path class="pair ${to < from ? 'down' : 'up'}" d="${across(from, to)}"/><g class="a0">${marker(0, x(0), y(from))}</g>${marker(arm, x(1), y(to))}`,
  );
  const means = html`<path class="means" d="${across(mean(pairs.map((pair) => pair.from)), mean(pairs.map((pair) => pair.to)))}"/>`;
  const xTicks = [
    { at: 0, text: chart.left },
    { at: 1, text: chart.right },
  ];
  return figure(chart, { x, y, xLabel: '', xTicks }, html`<g class="${armClass(arm)}">${marks}${means}</g>`);
}

export const excludesZero = ([lower, upper]: Interval) => lower > 0 || upper < 0;

interface Forest {
  readonly value: number;
  readonly interval: Interval;
  /** Differences within ± this cannot be found. */
  readonly detectable: number | null;
  /** Largest difference that the scale of this measure shows, either way. */
  readonly reach: number;
}

/** The difference with its interval, in a table row. The row has the figures, so it is hidden from screen readers. */
export function forest({ value, interval, detectable, reach }: Forest): Markup {
  const x = scaleLinear([-reach, reach], [4, 156]).clamp(true);
  const blind =
    detectable === null
      ? false
      : html`<rect class="blind" x="${round(x(-detectable))}" y="2" width="${round(x(detectable) - x(-detectable))}" height="16"/>`;
  return html`<svg class="forest" viewBox="0 0 160 20" aria-hidden="true">${blind}<path class="zero" d="M80 0V20"/><path class="reach" d="M${round(x(interval[0]))} 10H${round(x(interval[1]))}"/><circle class="${excludesZero(interval) ? 'clear' : 'open'}" cx="${round(x(value))}" cy="10" r="4"/></svg>`;
}

/** A bar of parts that sum to 1. The cells beside it have the figures. */
export function parts(shares: readonly number[]): Markup {
  let left = 0;
  const rects = shares.map((share, i) => {
    const rect = html`<rect class="part${i}" x="${round(240 * left)}" y="2" width="${round(240 * share)}" height="14"/>`;
    left += share;
    return rect;
  });
  return html`<svg class="parts" viewBox="0 0 240 18" aria-hidden="true">${rects}</svg>`;
}
