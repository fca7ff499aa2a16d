import type { RowSource } from '@rarefy/core';
import type { EmbeddingDtype } from './embedding-dtype.js';
import type { EmbeddingIds } from './embedding-ids.js';

/** What every format's reader finds. */
export interface EmbeddingTable extends EmbeddingIds {
  readonly metadata: Readonly<Record<string, string>>;
  readonly dtype: EmbeddingDtype;
  readonly values: RowSource;
}
