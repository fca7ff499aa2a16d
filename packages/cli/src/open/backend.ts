import type { CallOptions } from '@rarefy/core';
import type { BackendName, ChosenBackend } from '@rarefy/lm';
import { choice } from '../shell/define-option.js';
import type { OptionDefinitions } from '../shell/options.js';

const names = ['node-gpu', 'node', 'wasm', 'cpu'] as const satisfies readonly BackendName[];

export const backendOption = {
  backend: choice(names, 'TensorFlow.js backend; default RAREFY_BACKEND, or else the fastest one that works'),
} as const satisfies OptionDefinitions;

/** Chooses the backend and reports it. */
export async function openBackend(backend: string | undefined, { onEvent }: CallOptions): Promise<ChosenBackend> {
  const { chooseBackend } = await import('@rarefy/lm');
  const chosen = await chooseBackend({ backend });
  const message = `${chosen.name} on ${chosen.device.toUpperCase()} (${chosen.reason})`;
  onEvent?.({ type: 'work-message', task: 'backend', message });
  return chosen;
}
