import { InputError } from '@rarefy/core';
import { checkName, quoted } from '@rarefy/io';
import { type Hub, hubError, type Repository } from './hub.js';

/** A file of a repository at one commit. */
export interface HubFile {
  /** With slashes; it stays inside the repository. */
  readonly path: string;
  readonly size: number;
  /** What its bytes must be: SHA-256 for large files, git's SHA-1 of a blob for small ones; undefined where the hub gives neither. */
  readonly checksum: { readonly kind: 'sha256' | 'git-blob'; readonly value: string } | undefined;
}

export interface Listing {
  /** The commit that the revision means now. */
  readonly commit: string;
  /** Licence as the repository's card says it, or `unknown`. */
  readonly license: string;
  readonly files: readonly HubFile[];
}

/** Whether a text is `owner/name`, as repositories are called; no part of it leads out of a folder. */
export function isRepositoryName(text: string): boolean {
  return /^(?!\.+\/)[\w.-]+\/(?!\.+$)[\w.-]+$/.test(text);
}

/**
 * What a repository holds.
 * @throws InputError for a name that is none, and when the hub does not have it, names a file outside of it, or cannot be reached; the signal's reason on abort.
 */
export async function listRepository(hub: Hub, repository: Repository, revision: string): Promise<Listing> {
  if (!isRepositoryName(repository.name)) {
    throw new InputError(`${quoted(repository.name)} is no name on a hub; one is owner/name`);
  }
  const { listFiles, modelInfo, datasetInfo } = await import('@huggingface/hub');
  const { type, name } = repository;
  const common = { hubUrl: hub.endpoint, fetch: hub.fetch }; // not the token: the library takes those of one hub alone
  try {
    const asked = { name, revision, ...common };
    const told: { readonly sha?: unknown; readonly tags?: unknown } =
      type === 'model'
        ? await modelInfo({ ...asked, additionalFields: ['sha', 'tags'] })
        : await datasetInfo({ ...asked, additionalFields: ['sha', 'tags'] });
    const commit = typeof told.sha === 'string' && /^[0-9a-f]{7,64}$/i.test(told.sha) ? told.sha : undefined;
    if (commit === undefined)
      throw new InputError(`${hub.endpoint} does not say which commit ${revision} of ${name} is`);
    const tags = Array.isArray(told.tags) ? told.tags.map(String) : [];
    const license = tags.find((tag) => tag.startsWith('license:'))?.slice('license:'.length) ?? 'unknown';
    const files: HubFile[] = [];
    for await (const entry of listFiles({ repo: { type, name }, revision: commit, recursive: true, ...common })) {
      if (entry.type !== 'file') continue;
      checkName(entry.path, `${hub.endpoint}/${name}`);
      const { path, lfs, oid } = entry;
      const checksum = lfs
        ? ({ kind: 'sha256', value: lfs.oid } as const)
        : oid
          ? ({ kind: 'git-blob', value: oid } as const)
          : undefined;
      files.push({ path, size: lfs?.size ?? entry.size, checksum });
    }
    return { commit, license, files };
  } catch (error) {
    throw hubError(hub, repository, error);
  }
}
