import { described } from './check-items.js';
import { InvalidArgumentError, MissingDependencyError } from './errors.js';

export interface ImportPeerOptions<Module> {
  /** Name on npm. */
  readonly name: string;
  /** Versions that are known to work, such as `^1.2.0`, for the install command. */
  readonly range: string;
  /** The module itself, or a function that returns it. If given, nothing is imported. */
  readonly lib?: Module | (() => Module | Promise<Module>) | undefined;
  /** `() => import('name')`, with a literal name so that bundlers see it. */
  readonly load: () => Promise<Module>;
  /** Names of the exports that are used. A module from the caller that lacks one is refused. */
  readonly uses?: readonly string[];
}

/** The modules of a list of peers, in the same order. */
export type ImportedPeers<Peers extends readonly ImportPeerOptions<object>[]> = {
  -readonly [Index in keyof Peers]: Peers[Index] extends ImportPeerOptions<infer Module> ? Module : never;
};

/**
 * Imports an optional library on first use.
 * @throws MissingDependencyError with the install command if it is not installed; with the cause if it does not load;
 *   InvalidArgumentError if `lib` is another module. What the function `lib` throws.
 */
export async function importPeer<Module extends object>(options: ImportPeerOptions<Module>): Promise<Module> {
  return (await importPeers([options]))[0];
}

/**
 * Imports several optional libraries that are needed together, so that one error names all that are missing.
 * @throws MissingDependencyError with one install command for all that are not installed; otherwise with the cause of the first
 *   that does not load; InvalidArgumentError if a `lib` is another module. What a function `lib` throws.
 */
export async function importPeers<const Peers extends readonly ImportPeerOptions<object>[]>(
  peers: Peers,
): Promise<ImportedPeers<Peers>> {
  const given = await Promise.all(peers.map(({ lib }) => (typeof lib === 'function' ? lib() : lib)));
  peers.forEach((peer, index) => {
    if (given[index] !== undefined) checkModule(peer, given[index]);
  });
  const loaded = await Promise.allSettled(peers.map(async ({ load }, index) => given[index] ?? (await load())));
  const failures = peers.flatMap((peer, index) => {
    const outcome = loaded[index]!;
    return outcome.status === 'rejected' ? [{ ...peer, cause: outcome.reason as unknown }] : [];
  });
  const missing = failures.filter(({ name, cause }) => isNotInstalled(name, cause));
  if (missing.length > 0) throw notInstalled(missing);
  if (failures.length > 0) throw doesNotLoad(failures[0]!);
  return loaded.map((outcome) => (outcome as PromiseFulfilledResult<object>).value) as ImportedPeers<Peers>;
}

function checkModule({ name, uses = [] }: Omit<ImportPeerOptions<object>, 'lib'>, module: unknown): void {
  const isModule = typeof module === 'object' && module !== null;
  const lacking = isModule ? uses.filter((used) => !(used in module)) : [];
  if (isModule && lacking.length === 0) return;
  const seen = isModule ? `an object without ${lacking.join(' and ')}` : described(module);
  throw new InvalidArgumentError(
    `the module given for ${name} is ${seen}; give what \`await import('${name}')\` returns, or leave the option out`,
  );
}

type Failure = { readonly name: string; readonly range: string; readonly cause: unknown };

function notInstalled(missing: readonly Failure[]): MissingDependencyError {
  const names = missing.map(({ name }) => name);
  const packages = missing.map(({ name, range }) => `${name}@${range}`).join(' ');
  const one = names.length === 1;
  return new MissingDependencyError(
    names.join(' '),
    `Install ${one ? 'it' : 'them'}: npm install ${packages}`,
    one ? `${names[0]} is not installed.` : `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are not installed.`,
    { cause: missing[0]!.cause },
  );
}

function doesNotLoad({ name, range, cause }: Failure): MissingDependencyError {
  return new MissingDependencyError(
    name,
    `Reinstall it and let its install scripts run: npm install ${name}@${range} && npm rebuild ${name}. \`rarefy doctor\` shows which libraries load.`,
    `${name} is installed but does not load: ${firstLine(cause)}.`,
    { cause },
  );
}

/** Whether the library itself was not found, rather than one of its own dependencies. A path such as `name/package.json` counts. */
function isNotInstalled(name: string, cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false;
  return [`'${name}'`, `"${name}"`, `'${name}/`, `"${name}/`].some((quoted) => String(cause).includes(quoted));
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.replace(/[\s.:]+$/, '');
}
