/**
 * How varied texts are. Every metric is a pure function of a list of texts and needs no model.
 *
 * - {@link words} defines what counts as a word; all metrics use it.
 * - {@link vocabularyRatio} and {@link distinctN} fall as a model repeats itself.
 * - {@link emDashPer1000Words} is a marker of style: it rises as a model drifts towards one way of writing.
 */
export { distinctN, emDashPer1000Words, vocabularyRatio, words } from './text-metrics.js';
