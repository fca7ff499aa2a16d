/** Where a training run writes its metrics, step by step, under TRL's names. */
export interface MetricLogger {
  /** Metrics of one step; times (`step_time`, `time/*`) are metrics too. NaN means not measured. */
  log(step: number, metrics: Readonly<Record<string, number>>): void | Promise<void>;
  /** Called after the last step. A second call does nothing. */
  close(): void | Promise<void>;
}
