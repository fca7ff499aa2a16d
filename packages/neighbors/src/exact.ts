export { type BlockJoinOptions, blockJoin } from './exact/block-join.js';
export { type ExactIndexOptions, exactIndex } from './exact/exact-index.js';
