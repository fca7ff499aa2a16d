/** What all components share. A component is ready to use: its factory has loaded everything it needs. */
export interface Component<Kind extends string, Capabilities> {
  readonly specificationVersion: 'v1';
  readonly kind: Kind;
  /**
   * Changes whenever the component's numbers would: with the model, its revision, pooling, dtype or another option. Serves as cache
   * key, and lets `restore` reject the state of another component.
   */
  readonly fingerprint: string;
  /** Never change during the component's life. */
  readonly capabilities: Readonly<Capabilities>;
}

/** State is small JSON: `restore(JSON.parse(JSON.stringify(state())))` continues exactly from the moment of `state()`. */
export interface Stateful<State> {
  state(): State;
  /** @throws StateMismatchError if the state belongs to another component or other data. */
  restore(state: State): void;
}

/** Progress of long work. `task` names the work; `done` and `total` count items, not batches. */
export type WorkEvent =
  | { readonly type: 'work-start'; readonly task: string; readonly total?: number }
  | { readonly type: 'work-progress'; readonly task: string; readonly done: number; readonly total?: number }
  | { readonly type: 'work-warning'; readonly task: string; readonly code: string; readonly message: string }
  | { readonly type: 'work-message'; readonly task: string; readonly message: string }
  | { readonly type: 'work-end'; readonly task: string; readonly done: number; readonly elapsedMs: number };

/** Options of every long call, always its last argument. */
export interface CallOptions {
  /** Aborts the call: it rejects with the signal's reason. Work already handed to native code may still finish. */
  readonly signal?: AbortSignal | undefined;
  /** Receives the call's progress. */
  readonly onEvent?: ((event: WorkEvent) => void) | undefined;
}
