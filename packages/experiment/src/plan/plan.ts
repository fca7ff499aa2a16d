import type { Arm } from '../arms/arm.js';
import type { HeldOutPrompt, StartGates } from '../experiment/experiment.js';

/** `plan.json`: what is compared, and how it is analyzed, written before the first run. */
export interface Plan {
  readonly version: 1;
  readonly name: string;
  readonly hypothesis: string;
  /** When it was written, in ISO 8601. */
  readonly created: string;
  readonly arms: readonly Arm[];
  readonly seeds: readonly number[];
  /** When data collection ends. */
  readonly stopping: string;
  readonly primary: string;
  readonly secondary: readonly string[];
  readonly alpha: number;
  /** Power for which minimum detectable effects are stated. */
  readonly power: number;
  readonly strata: readonly string[];
  readonly heldOut: readonly Omit<HeldOutPrompt, 'prompt'>[];
  readonly gates: StartGates;
  readonly rarities: readonly string[];
  /** Training and evaluation settings that all runs share. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly digests: Readonly<Record<'model' | 'prompts' | 'heldOut' | 'code', string>>;
  /** How to run it again. */
  readonly command: string;
}

/** Something that was not done as planned. */
export interface Departure {
  readonly kind:
    | 'plan-changed'
    | 'runs-missing'
    | 'runs-added'
    | 'run-differs'
    | 'wrong-pairing'
    | 'fewer-tokens'
    | 'looked-early'
    | 'run-before-plan';
  /** One sentence. */
  readonly text: string;
}
