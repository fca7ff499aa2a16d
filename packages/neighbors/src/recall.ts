export { lowRecall, type MeasureRecallOptions, measureRecall } from './recall/measure-recall.js';
