/**
 * The prompt space in 3D.
 *
 * - {@link buildView} turns prompts and their embeddings into a view: a layout with every axis in [-1, 1], and the columns
 *   `source`, `density` and `prompt`.
 * - A projector computes the layout: {@link umap} keeps neighbors together, {@link pca} keeps the directions of largest variance.
 * - An exporter writes a view to files: {@link jsonExporter} writes the points, {@link pageExporter} one page that works from disk.
 * - {@link viewPoints} gives the points as they are drawn: a larger point is a rarer prompt, a color is a source.
 */
export { jsonExporter } from './exporters/json.js';
export { type PageExporterOptions, pageExporter } from './exporters/page.js';
export { pca } from './projectors/pca.js';
export { type UmapOptions, umap } from './projectors/umap.js';
export { type BuildViewOptions, buildView, scaleAxes, type ViewPrompt, viewDensity } from './view/build-view.js';
export { sourceColor, type ViewPoint, viewPoints } from './view/view-points.js';
