import { setting } from './setting.js';

/** Does drawing rare prompts more often keep answers varied? */
export default setting(
  'claim',
  'Drawing prompts inversely to their density keeps more distinct good answers per prompt than drawing them uniformly.',
);
