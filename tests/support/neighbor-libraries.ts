import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Faiss } from '@rarefy/neighbors/faiss';
import type { Usearch } from '@rarefy/neighbors/hnsw';

const components = process.env.RAREFY_COMPONENTS ?? '';
const folderOf = (name: string) => join(components, 'node_modules', name);
const require = createRequire(import.meta.url);

const isBuilt = components !== '' && existsSync(join(folderOf('faiss-node'), 'build', 'Release', 'faiss-node.node'));
const isThere = components !== '' && existsSync(folderOf('usearch'));

/** Why tests with faiss are skipped, for the name of their suite; empty if they run. */
export const faissReason = isBuilt
  ? ''
  : ' (skipped: faiss-node is not built in RAREFY_COMPONENTS, see .ci/install-faiss-node.sh)';

/** Why tests with usearch are skipped; empty if they run. */
export const usearchReason = isThere ? '' : ' (skipped: usearch is not in RAREFY_COMPONENTS)';

/** Loaded from the folder of components, because both are native and optional. */
export const faissLibrary = () => {
  process.env.OMP_NUM_THREADS ??= '1'; // read when faiss is loaded; threads would wait for each other on a busy machine
  return require(folderOf('faiss-node')) as Faiss;
};
export const usearchLibrary = () => require(folderOf('usearch')) as Usearch;
