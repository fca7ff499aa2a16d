import { RarefyError } from './rarefy-error.js';

/** Another run is writing the same files; nothing was changed. */
export class LockedError extends RarefyError {
  static override readonly code = 'RAREFY_LOCKED';
}
