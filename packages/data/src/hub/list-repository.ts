import { InputError } from '@rarefy/core';
import { checkName, quoted } from '@rarefy/io';
import { type Hub, hubError, type Repository } from './hub.js';

/** A file of a repository at one commit. */
export interface HubFile {
  /** Separated by slashes; checked to stay inside a folder. */
  readonly path: string;
  readonly size: number;
  /** SHA-256 for large files, git's SHA-1 of the blob for small ones; undefined if the hub provides neither. */
  readonly checksum: { readonly kind: 'sha256' | 'git-blob'; readonly value: string } | undefined;
}

export interface Listing {
  /** The commit that the revision refers to. */
  readonly commit: string;
  /** License from the repository's card, or `unknown`. */
  readonly license: string;
  readonly files: readonly HubFile[];
}

/** Whether a text has the form `owner/name` of a repository, and is safe as the name of a folder. */
export function isRepositoryName(text: string): boolean {
  return /^(?!\.+\/)[\w.-]+\/(?!\.+$)[\w.-]+$/.test(text);
}

/**
 * Lists the files of a repository.
 * @throws InputError if the name is invalid, the hub does not have it, or cannot be reached; CorruptFileError if the hub lists an
 * unsafe file name; the signal's reason on abort.
 */
export async function listRepository(hub: Hub, repository: Repository, revision: string): Promise<Listing> {
  if (!isRepositoryName(repository.name)) {
    throw new InputError(`${quoted(repository.name)} is not the name of a repository; expected owner/name`);
  }
  const { listFiles, modelInfo, datasetInfo } = await import('@huggingface/hub');
  const { type, name } = repository;
  const common = { hubUrl: hub.endpoint, fetch: hub.fetch }; // without the token: the library accepts only those of huggingface.co
  try {
    const asked = { name, revision, ...common };
    const info: { readonly sha?: unknown; readonly tags?: unknown } =
      type === 'model'
        ? await modelInfo({ ...asked, additionalFields: ['sha', 'tags'] })
        : await datasetInfo({ ...asked, additionalFields: ['sha', 'tags'] });
    const commit = typeof info.sha === 'string' && /^[0-9a-f]{7,64}$/i.test(info.sha) ? info.sha : undefined;
    if (commit === undefined)
      throw new InputError(`${hub.endpoint} does not report which commit ${revision} of ${name} is`);
    const tags = Array.isArray(info.tags) ? info.tags.map(String) : [];
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
