const prefix = 'rarefy.error.';

/**
 * Base class of every error that Rarefy throws on purpose. `code` is stable; messages may change. Thrown itself for failures that
 * have no class of their own, such as the use of a disposed component or a worker thread that does not start.
 *
 * Remedy: do what the message says. `cause`, if present, is the error underneath.
 */
export class RarefyError extends Error {
  static readonly code: string = 'RAREFY_ERROR';
  readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = new.target.code;
    // Every class in the chain leaves a marker, so that isInstance works even if two copies of this package are loaded.
    for (let type: unknown = new.target; isErrorType(type); type = Object.getPrototypeOf(type)) {
      Object.defineProperty(this, Symbol.for(prefix + type.code), { value: true });
    }
  }

  /** Like `instanceof`, but also true for errors of another copy of this package. */
  static isInstance<Type extends { readonly code: string; readonly prototype: RarefyError }>(
    this: Type,
    error: unknown,
  ): error is Type['prototype'] {
    return typeof error === 'object' && error !== null && Symbol.for(prefix + this.code) in error;
  }
}

function isErrorType(type: unknown): type is typeof RarefyError {
  return typeof type === 'function' && 'code' in type && typeof type.code === 'string';
}

/**
 * A file is damaged: Rarefy wrote it or reads its format, but its content is not valid. Nothing was read from it.
 *
 * Remedy: delete the file named in the message and write or download it again. A cache or an embedding job computes damaged rows
 * again.
 */
export class CorruptFileError extends RarefyError {
  static override readonly code = 'RAREFY_CORRUPT_FILE';
}

/**
 * A file or stream given by the user cannot be used: it is missing, empty, malformed, or of the wrong kind.
 *
 * Remedy: correct the input where the message says, by file, line and byte. `onBadLine: 'skip'`, or `--on-bad-line skip` on the
 * command line, skips and counts malformed lines.
 */
export class InputError extends RarefyError {
  static override readonly code = 'RAREFY_INPUT';
}

/**
 * An option or argument has an invalid value, or an option has a name that the function does not know.
 *
 * Remedy: give a value in the range that the message states. For an unknown option, use the name that it suggests.
 */
export class InvalidArgumentError extends RarefyError {
  static override readonly code = 'RAREFY_INVALID_ARGUMENT';
}

/**
 * Weights do not allow any draw: one is NaN, negative or infinite, or all are zero. The message names the first position.
 *
 * Remedy: correct the weighting so that all weights are finite and ≥ 0. If a density is 0, give `inverseDensity` an `epsilon`; if
 * powers overflow, use a smaller `exponent`, or `targetEss`.
 */
export class InvalidWeightsError extends RarefyError {
  static override readonly code = 'RAREFY_INVALID_WEIGHTS';
}

/**
 * Another run is writing the same files. Nothing was changed.
 *
 * Remedy: wait for the process that the message names, stop it, or write to another folder. A process of this machine that was
 * killed leaves no lock behind; if it ran on another machine, remove the file that the message names.
 */
export class LockedError extends RarefyError {
  static override readonly code = 'RAREFY_LOCKED';
}

/**
 * An optional library is not installed, or it is installed but does not load.
 *
 * Remedy: run the command in `fix`, which is also the end of the message. `rarefy doctor` tries every optional library.
 */
export class MissingDependencyError extends RarefyError {
  static override readonly code = 'RAREFY_MISSING_DEPENDENCY';

  /**
   * @param dependency its name on npm; several names are separated by a space
   * @param fix the command or action that solves the problem
   */
  constructor(
    readonly dependency: string,
    readonly fix: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${message} ${fix}`, options);
  }
}

/**
 * NaN or infinity where a finite number is required. The message names the first position.
 *
 * Remedy: find out where the number comes from. In embeddings it is usually an overflow in float16 or a damaged model; remove or
 * embed that row again.
 */
export class NotFiniteError extends RarefyError {
  static override readonly code = 'RAREFY_NOT_FINITE';
}

/**
 * A method that needs a fit was called before `fit`.
 *
 * Remedy: await `fit(points)` first. After `fitRows`, and after a fit that failed, there is nothing to score with.
 */
export class NotFittedError extends RarefyError {
  static override readonly code = 'RAREFY_NOT_FITTED';
}

/**
 * A matrix, column or file has the wrong size or element type.
 *
 * Remedy: check that `data.length` is `rows * cols`, that there is one row per prompt, and that all rows come from one model.
 * `matrix(rows)` makes a valid matrix of plain arrays.
 */
export class ShapeError extends RarefyError {
  static override readonly code = 'RAREFY_SHAPE';
}

/**
 * A saved state belongs to another component, other data or another version, and nothing was restored; or the weights of a model
 * changed under a component that was created from them.
 *
 * Remedy: restore with the data, options and seed of the saved run; keep the weights of the first start in a file. If a model
 * changed, create the embedder again, or give it a `snapshot` of the model.
 */
export class StateMismatchError extends RarefyError {
  static override readonly code = 'RAREFY_STATE_MISMATCH';
}

/**
 * Training cannot continue: a loss, reward or gradient is not finite, or no group is left to train on. The model is unchanged since
 * the last complete step.
 *
 * Remedy: correct the reward function that the message names. If the loss or gradient is not finite, lower the learning rate, set
 * `maxGradNorm`, or resume from the newest checkpoint.
 */
export class TrainingError extends RarefyError {
  static override readonly code = 'RAREFY_TRAINING';
}
