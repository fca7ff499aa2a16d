import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { OnnxRuntime } from '@rarefy/embedders/onnx';

const components = process.env.RAREFY_COMPONENTS ?? '';
const runtimeFolder = join(components, 'node_modules', 'onnxruntime-node');

/** Folder of the sentence model all-MiniLM-L6-v2, which is not in the repository. */
export const miniLm = join(process.env.RAREFY_MODELS ?? '', 'all-MiniLM-L6-v2');

/** Why tests with the real model are skipped, to append to the name of their suite; empty if they run. */
export const onnxReason = !(components && existsSync(runtimeFolder))
  ? ' (skipped: onnxruntime-node is not in RAREFY_COMPONENTS)'
  : !existsSync(join(miniLm, 'modules.json'))
    ? ' (skipped: all-MiniLM-L6-v2 is not in RAREFY_MODELS)'
    : '';

/** Loads onnxruntime-node from the folder of components: it is too large to install with the workspace. */
export const onnxRuntime = () => createRequire(import.meta.url)(runtimeFolder) as OnnxRuntime;
