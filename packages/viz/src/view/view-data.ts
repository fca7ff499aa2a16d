import { decodeBase64, type EmbeddingView, encodeBase64 } from '@rarefy/core';
import { promptCharacters, viewColumns } from './view-points.js';
import { firstCharacters } from './view-text.js';

/** The data in a page: texts as JSON, numbers as base64 of little-endian columns. */
interface ViewData {
  readonly ids: readonly string[];
  readonly prompts: readonly string[];
  readonly labels: readonly string[];
  /** float32, points x dimensions. */
  readonly layout: string;
  readonly dimensions: number;
  /** uint32, one per point. */
  readonly codes: string;
  /** float32, one per point. */
  readonly density: string;
}

/** A view as JSON for a page, with prompts cut to the length that it shows. @throws like {@link viewColumns}. */
export function encodeView(view: EmbeddingView): string {
  const { source, density, prompt } = viewColumns(view);
  const data: ViewData = {
    ids: view.ids,
    prompts: prompt.values.map((text) => firstCharacters(text, promptCharacters)),
    labels: source.labels,
    layout: encodeBase64(view.layout.data),
    dimensions: view.layout.cols,
    codes: encodeBase64(source.codes),
    density: encodeBase64(density.values),
  };
  return JSON.stringify(data);
}

/** The inverse of {@link encodeView}; runs in the browser. */
export function decodeView(json: string): EmbeddingView {
  const data = JSON.parse(json) as ViewData;
  const floats = (text: string) => new Float32Array(decodeBase64(text).buffer);
  return {
    ids: data.ids,
    layout: { data: floats(data.layout), rows: data.ids.length, cols: data.dimensions },
    columns: {
      source: { type: 'category', codes: new Uint32Array(decodeBase64(data.codes).buffer), labels: data.labels },
      density: { type: 'number', values: floats(data.density) },
      prompt: { type: 'text', values: data.prompts },
    },
  };
}
