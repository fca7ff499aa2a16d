import { MissingDependencyError } from './errors.js';

export interface ImportPeerOptions<Module> {
  /** Name on npm. */
  readonly name: string;
  /** Versions that are known to work, such as `^1.2.0`, for the install command. */
  readonly range: string;
  /** The module itself, or a function that returns it. If given, nothing is imported. */
  readonly lib?: Module | (() => Module | Promise<Module>) | undefined;
  /** `() => import('name')`, with a literal name so that bundlers see it. */
  readonly load: () => Promise<Module>;
}

/**
 * Imports an optional library on first use.
 * @throws MissingDependencyError with the install command if it is not installed; with the cause if it does not load.
 */
export async function importPeer<Module extends object>(options: ImportPeerOptions<Module>): Promise<Module> {
  const { name, range, lib, load } = options;
  if (lib !== undefined) return typeof lib === 'function' ? await (lib as () => Module | Promise<Module>)() : lib;
  try {
    return await load();
  } catch (cause) {
    if (isNotInstalled(name, cause)) {
      throw new MissingDependencyError(name, `Install it: npm install ${name}@${range}`, `${name} is not installed.`, {
        cause,
      });
    }
    throw new MissingDependencyError(
      name,
      'Reinstall it with its build step, or choose another backend; `rarefy doctor` shows which backends load.',
      `${name} is installed but does not load: ${firstLine(cause)}.`,
      { cause },
    );
  }
}

/** Whether the library itself was not found, rather than one of its own dependencies. */
function isNotInstalled(name: string, cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false;
  return String(cause).includes(`'${name}'`) || String(cause).includes(`"${name}"`);
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/[\s.:]+$/, '');
}
