import { dirname } from 'node:path';
import type { FileSystem, OpenFile } from '@rarefy/io';

interface Inode {
  bytes: Uint8Array;
  /** The bytes at the last fsync, which survive a power failure. */
  synced: Uint8Array;
}

/** A failure of one call. */
export interface Fault {
  /** Number of the call, from 1, among all calls or among those named by `only`. */
  readonly at: number;
  readonly only?: string;
  /** An error with this code, once; or the end of the process, after which every call fails. */
  readonly code: 'EIO' | 'ENOSPC' | 'killed';
  /** Whether half of a write reaches the disk before the fault. */
  readonly torn?: boolean;
}

export interface MemoryFileSystem extends FileSystem {
  /** Names of the calls so far, in order. */
  readonly calls: string[];
  files(): Map<string, Uint8Array>;
  /**
   * The disk as the next process finds it: `kill` keeps all, `power` what fsync promised, `renamed` all names but only synced
   * bytes.
   */
  after(end: 'kill' | 'power' | 'renamed', fault?: Fault): MemoryFileSystem;
}

/** A disk in memory with injected failures that models power failures. Folders always survive. */
export function memoryFileSystem(
  fault?: Fault,
  names = new Map<string, Inode>(),
  folders = new Set<string>(),
): MemoryFileSystem {
  const durable = new Map(names);
  const calls: string[] = [];
  let ended = false;

  /** Throws if the fault is due at this call. */
  const step = (call: string, onTorn?: () => void) => {
    calls.push(call);
    if (ended) throw failure('killed');
    const count = fault?.only ? calls.filter((name) => name === fault.only).length : calls.length;
    if (!fault || count !== fault.at || (fault.only && fault.only !== call)) return;
    ended = fault.code === 'killed';
    if (fault.torn) onTorn?.();
    throw failure(fault.code);
  };
  const inodeOf = (path: string) => {
    const inode = names.get(path);
    if (!inode) throw failure('ENOENT');
    return inode;
  };
  const openInode = (inode: Inode): OpenFile => ({
    async size() {
      step('size');
      return inode.bytes.length;
    },
    async read(target, position) {
      step('read');
      const part = inode.bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
    async write(bytes) {
      const append = (part: Uint8Array) => {
        inode.bytes = Buffer.concat([inode.bytes, part]);
      };
      step('write', () => append(bytes.subarray(0, bytes.length >> 1)));
      append(bytes);
    },
    async sync() {
      step('sync');
      inode.synced = inode.bytes;
    },
    async close() {
      step('close');
    },
  });

  return {
    calls,
    files: () => new Map([...names].map(([path, { bytes }]) => [path, bytes])),
    after(end, nextFault) {
      const kept = [...(end === 'power' ? durable : names)].map(([path, { bytes, synced }]) => {
        const left = Uint8Array.from(end === 'kill' ? bytes : synced);
        return [path, { bytes: left, synced: left }] as const;
      });
      const keptFolders = kept.map(([path]) => dirname(path));
      return memoryFileSystem(nextFault, new Map(kept), new Set([...folders, ...keptFolders]));
    },
    async makeFolder(path) {
      step('makeFolder');
      for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) folders.add(folder);
    },
    async list(path) {
      step('list');
      const inside = [...names.keys(), ...folders].filter((name) => dirname(name) === path && name !== path);
      if (!folders.has(path)) throw failure('ENOENT');
      return inside.map((name) => name.slice(path.length + 1));
    },
    async open(path) {
      step('open');
      return openInode(inodeOf(path));
    },
    async create(path) {
      step('create');
      if (names.has(path)) throw failure('EEXIST');
      const inode = { bytes: new Uint8Array(0), synced: new Uint8Array(0) };
      names.set(path, inode);
      return openInode(inode);
    },
    async readText(path) {
      step('readText');
      return Buffer.from(inodeOf(path).bytes).toString('utf8');
    },
    async link(path, name) {
      step('link');
      if (names.has(name)) throw failure('EEXIST');
      names.set(name, inodeOf(path));
    },
    async rename(path, name) {
      step('rename');
      names.set(name, inodeOf(path));
      names.delete(path);
    },
    async remove(path) {
      step('remove');
      for (const name of [...names.keys(), ...folders]) {
        if (name !== path && !name.startsWith(`${path}/`)) continue;
        names.delete(name);
        folders.delete(name);
      }
    },
    async syncFolder(path) {
      step('syncFolder');
      for (const name of [...durable.keys()]) if (dirname(name) === path && !names.has(name)) durable.delete(name);
      for (const [name, inode] of names) if (dirname(name) === path) durable.set(name, inode);
    },
  };
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
