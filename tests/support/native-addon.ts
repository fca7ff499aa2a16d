import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const addon = new URL(
  `../../packages/neighbors-native/native/neighbors.${process.platform}-${process.arch}.node`,
  import.meta.url,
);

/** Why tests of the native addon are skipped, for the name of their suite; empty when they run. */
export const nativeReason = existsSync(fileURLToPath(addon)) ? '' : ' (skipped: the native addon is not built)';
