import {
  type Column,
  checkFinite,
  checkInteger,
  checkMatrix,
  described,
  type EmbeddingView,
  InvalidArgumentError,
  ShapeError,
} from '@rarefy/core';
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
 * @throws InvalidArgumentError if `view` is not a view, or a column is missing or of the wrong type; ShapeError if the length of a
 * column or the layout does not fit the ids; NotFiniteError if layout or density contain NaN or infinity.
 */
export function viewColumns(view: EmbeddingView): ViewColumns {
  const points = pointCount(view);
  if (view.ids.some((id) => typeof id !== 'string')) {
    const position = view.ids.findIndex((id) => typeof id !== 'string');
    throw new InvalidArgumentError(`id ${position} of the view is ${described(view.ids[position])}; expected a text`);
  }
  checkMatrix(view.layout, 'points of the layout');
  const { rows, cols } = view.layout;
  if (rows !== points || !(cols === 2 || cols === 3)) {
    throw new ShapeError(`a view of ${points} ids needs a layout of ${points} x 2 or 3, got ${rows} x ${cols}`);
  }
  const checked = <Type extends Column['type']>(name: string, type: Type): Extract<Column, { type: Type }> => {
    const column = view.columns?.[name];
    if (column?.type !== type) {
      throw new InvalidArgumentError(
        `a view needs a ${type} column named ${name}, got ${column ? `a ${column.type} column` : 'none'}; buildView() creates it`,
      );
    }
    const values: unknown = column.type === 'category' ? column.codes : column.values;
    const seen = Object.prototype.toString.call(values).slice(8, -1); // instanceof fails for arrays of another realm
    if (seen !== arrayOf[type]) {
      throw new InvalidArgumentError(`column ${name} must hold its values in ${arrayOf[type]}, got ${seen}`);
    }
    const { length } = values as ArrayLike<unknown>;
    if (length !== points) throw new ShapeError(`column ${name} has ${length} values for ${points} points`);
    return column as Extract<Column, { type: Type }>;
  };
  const columns = {
    source: checked('source', 'category'),
    density: checked('density', 'number'),
    prompt: checked('prompt', 'text'),
  };
  const { codes, labels } = columns.source;
  const unknown = codes.findIndex((code) => typeof labels?.[code] !== 'string');
  if (unknown >= 0) {
    throw new InvalidArgumentError(
      `column source has the code ${codes[unknown]} at position ${unknown}, but no label for it`,
    );
  }
  checkFinite(columns.density.values, 'density');
  const wrong = columns.prompt.values.findIndex((text) => typeof text !== 'string');
  if (wrong < 0) return columns;
  const what = described(columns.prompt.values[wrong]);
  throw new InvalidArgumentError(`column prompt has ${what} at position ${wrong}; expected a text`);
}

const arrayOf = { number: 'Float32Array', category: 'Uint32Array', text: 'Array' } as const;

/** Number of points of a view. @throws InvalidArgumentError if `view` is not a view. */
export function pointCount(view: EmbeddingView): number {
  const given = view as EmbeddingView | undefined | null;
  if (Array.isArray(given?.ids)) return given.ids.length;
  const what = typeof given === 'object' && given !== null ? `ids in ${described(given.ids)}` : described(view);
  throw new InvalidArgumentError(
    `an exporter needs a view { ids, layout, columns }, got ${what}; buildView() makes one`,
  );
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

/** The points of a view, in order. @throws as {@link viewColumns} does. */
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
 * @throws InvalidArgumentError if `code` is not an integer ≥ 0.
 */
export function sourceColor(code: number): string {
  checkInteger('code', code, 0);
  const base = palette[code % palette.length]!;
  const { towards, share } = rounds[Math.floor(code / palette.length) % rounds.length]!;
  const channels = [1, 3, 5].map((start) => Number.parseInt(base.slice(start, start + 2), 16));
  const mixed = channels.map((channel) => Math.round(channel + (towards - channel) * share));
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}
