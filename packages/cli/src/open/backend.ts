import type { CallOptions } from '@rarefy/core';
import type { BackendName, ChosenBackend } from '@rarefy/lm';
import type { OptionDefinitions } from '../shell/options.js';

const names = ['node-gpu', 'node', 'wasm', 'cpu'] as const satisfies readonly BackendName[];

export const backendOption = {
  backend: {
    type: 'choice',
    choices: names,
    description: 'TensorFlow.js backend; default RAREFY_BACKEND, or else the fastest one that works',
  },
} as const satisfies OptionDefinitions;

/** Chooses the backend and reports it. `reason` is in plain words, without paths of this machine. */
export async function openBackend(backend: string | undefined, { onEvent }: CallOptions): Promise<ChosenBackend> {
  const { chooseBackend } = await import('@rarefy/lm');
  const chosen = await chooseBackend({ backend });
  const reason = reasonFor(chosen, backend);
  const message = `${chosen.name} on ${chosen.device.toUpperCase()} (${reason})`;
  onEvent?.({ type: 'work-message', task: 'backend', message });
  return { ...chosen, reason };
}

function reasonFor({ name, reason }: ChosenBackend, asked: string | undefined): string {
  if (asked !== undefined) return 'requested with --backend';
  if (process.env.RAREFY_BACKEND) return 'requested with RAREFY_BACKEND';
  if (name === 'node-gpu' || name === 'node') return 'the fastest one that works';
  const problem = reason.includes('is installed but') || reason.includes(' loads but') ? 'does not work' : 'not found';
  return `native TensorFlow ${problem}; \`rarefy doctor\` explains`;
}
