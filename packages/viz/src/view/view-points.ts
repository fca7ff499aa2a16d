import { type Column, type EmbeddingView, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { firstCharacters } from './view-text.js';

/** The columns that exporters show, as {@link buildView} creates them. */
interface ViewColumns {
  readonly source: Extract<Column, { type: 'category' }>;
  /** In [0, 1]; 1 is the most crowded. */
  readonly density: Extract<Column, { type: 'number' }>;
  readonly prompt: Extract<Column, { type: 'text' }>;
}

/**
 * The source, density and prompt of each point of a view.
 * @throws InvalidArgumentError if a column is missing; ShapeError if its length or the layout does not fit the ids.
 */
export function viewColumns(view: EmbeddingView): ViewColumns {
  const points = view.ids.length;
  const { rows, cols, data } = view.layout;
  if (rows !== points || data.length !== points * cols || !(cols === 2 || cols === 3)) {
    throw new ShapeError(
      `a view of ${points} ids needs a layout of ${points} x 2 or 3, got ${rows} x ${cols} (${data.length} numbers)`,
    );
  }
  const checked = <Type extends Column['type']>(name: string, type: Type): Extract<Column, { type: Type }> => {
    const column = view.columns[name];
    if (column?.type !== type) {
      throw new InvalidArgumentError(
        `a view needs a ${type} column named ${name}, got ${column ? `a ${column.type} column` : 'none'}; buildView() creates it`,
      );
    }
    const length = column.type === 'category' ? column.codes.length : column.values.length;
    if (length !== points) throw new ShapeError(`column ${name} has ${length} values for ${points} points`);
    return column as Extract<Column, { type: Type }>;
  };
  return {
    source: checked('source', 'category'),
    density: checked('density', 'number'),
    prompt: checked('prompt', 'text'),
  };
}

/** A prompt as a point to draw. */
export interface ViewPoint {
  /** x, y and z are in [-1, 1]. */
  readonly x: number;
  readonly y: number;
  /** 0 in a 2D layout. */
  readonly z: number;
  /** From 0.5 for the most crowded prompt to 2.5 for the rarest. */
  readonly size: number;
  /** Color of the source, `#rrggbb`. */
  readonly color: string;
  /** The first 200 characters. */
  readonly prompt: string;
}

/** Characters of a prompt that a view shows. */
export const promptCharacters = 200;

/** The points of a view, in order. @throws InvalidArgumentError or ShapeError like {@link viewColumns}. */
export function viewPoints(view: EmbeddingView): ViewPoint[] {
  const { source, density, prompt } = viewColumns(view);
  const { data, cols } = view.layout;
  return view.ids.map((_, row) => ({
    x: data[row * cols]!,
    y: data[row * cols + 1]!,
    z: cols === 3 ? data[row * cols + 2]! : 0,
    size: pointSize(density.values[row]!),
    color: sourceColor(source.codes[row]!),
    prompt: firstCharacters(prompt.values[row]!, promptCharacters),
  }));
}

/** Diameter of a point by its density in [0, 1]: rare prompts are large. */
export function pointSize(density: number): number {
  return 0.5 + (1 - density) * 2;
}

/** Palette for color-blind readers by Okabe and Ito (2008), with gray for black so that all show on light and dark backgrounds. */
const palette = ['#56b4e9', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#0072b2', '#f0e442', '#666666'];

/** Later rounds of the palette: darker, then lighter. */
const rounds = [
  { towards: 0, share: 0 },
  { towards: 0, share: 0.4 },
  { towards: 255, share: 0.5 },
];

/**
 * Color of the source with this code, as `#rrggbb`. There are 24 colors, and the 25th is the first again. The first 8 can be
 * distinguished with any color vision.
 */
export function sourceColor(code: number): string {
  const base = palette[code % palette.length]!;
  const { towards, share } = rounds[Math.floor(code / palette.length) % rounds.length]!;
  const channels = [1, 3, 5].map((start) => Number.parseInt(base.slice(start, start + 2), 16));
  const mixed = channels.map((channel) => Math.round(channel + (towards - channel) * share));
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}
