export { type TfjsIndexOptions, tfjsIndex } from './tfjs/tfjs-index.js';
