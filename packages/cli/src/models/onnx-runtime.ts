import { createRequire } from 'node:module';
import { join } from 'node:path';
import { importPeer } from '@rarefy/core';
import type { OnnxRuntime } from '@rarefy/embedders/onnx';

const name = 'onnxruntime-node';

/**
 * onnxruntime-node as installed beside this command, or else in the project of the current folder or in NODE_PATH.
 * @throws MissingDependencyError with the install line.
 */
export function onnxRuntime(): Promise<OnnxRuntime> {
  return importPeer<OnnxRuntime>({
    name,
    range: '^1.30.0',
    load: async () => {
      try {
        return (await import('onnxruntime-node')) as OnnxRuntime;
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
        return createRequire(join(process.cwd(), 'here.js'))(name) as OnnxRuntime;
      }
    },
  });
}
