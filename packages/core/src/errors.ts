const prefix = 'rarefy.error.';

/** Base class of every error that Rarefy throws on purpose. `code` is stable; messages may change. */
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

/** A file is damaged: Rarefy wrote it or reads its format, but its content is not valid. Nothing was read from it. */
export class CorruptFileError extends RarefyError {
  static override readonly code = 'RAREFY_CORRUPT_FILE';
}

/** A file or stream given by the user cannot be used: it is missing, empty, malformed, or of the wrong kind. */
export class InputError extends RarefyError {
  static override readonly code = 'RAREFY_INPUT';
}

/** An option or argument has an invalid value. */
export class InvalidArgumentError extends RarefyError {
  static override readonly code = 'RAREFY_INVALID_ARGUMENT';
}

/** Weights do not allow any draw: one is NaN, negative or infinite, or all are zero. The message names the first position. */
export class InvalidWeightsError extends RarefyError {
  static override readonly code = 'RAREFY_INVALID_WEIGHTS';
}

/** Another run is writing the same files. Nothing was changed. */
export class LockedError extends RarefyError {
  static override readonly code = 'RAREFY_LOCKED';
}

/** An optional library is not installed, or it is installed but does not load. */
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

/** NaN or infinity where a finite number is required. The message names the first position. */
export class NotFiniteError extends RarefyError {
  static override readonly code = 'RAREFY_NOT_FINITE';
}

/** A method that needs a fit was called before `fit`. */
export class NotFittedError extends RarefyError {
  static override readonly code = 'RAREFY_NOT_FITTED';
}

/** A matrix, column or file has the wrong size or element type. */
export class ShapeError extends RarefyError {
  static override readonly code = 'RAREFY_SHAPE';
}

/**
 * A saved state belongs to another component, other data or another version, and nothing was restored; or the weights of a model
 * changed under a component that was created from them.
 */
export class StateMismatchError extends RarefyError {
  static override readonly code = 'RAREFY_STATE_MISMATCH';
}

/** Training cannot continue: a loss or reward is not finite, or no group is left to train on. */
export class TrainingError extends RarefyError {
  static override readonly code = 'RAREFY_TRAINING';
}
