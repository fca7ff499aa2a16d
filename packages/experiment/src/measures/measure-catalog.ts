/** What a measure is, for tables and plans. */
export interface MeasureInfo {
  readonly name: string;
  /** For tables and axes, such as `distinct good answers per prompt`. */
  readonly label: string;
  /** What one value is computed from: each answer, the answers to one prompt, or the answers to all prompts of a stratum. */
  readonly scope: 'answer' | 'prompt' | 'stratum';
  /** Which direction is desired; `control` measures say whether others can be trusted. */
  readonly better: 'higher' | 'lower' | 'control';
  /** Measures that alone can move this one; the report shows them beside it. */
  readonly controls: readonly string[];
}

/** A value by measure and stratum; the stratum `all` is the mean of the strata, each with equal weight. */
export type MeasuredValues = Readonly<Record<string, Readonly<Record<string, number>>>>;
