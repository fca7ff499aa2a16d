import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';

/** A file that is open; every call goes to the disk, none is buffered here. */
export interface OpenFile {
  size(): Promise<number>;
  /** Fills `target` from byte `position` on; gives how many bytes there were, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes` behind what was written before. */
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the writing of files needs of a disk, few enough calls that a test can make each of them fail. Errors are Node's. */
export interface FileSystem {
  /** With its parents; one that is there is no error. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder. */
  list(path: string): Promise<string[]>;
  open(path: string): Promise<OpenFile>;
  /** For writing; a file of that name is an error. */
  create(path: string): Promise<OpenFile>;
  /** All of a small file, as UTF-8. */
  readText(path: string): Promise<string>;
  /** A second name of a file; a file of that name is an error. */
  link(path: string, name: string): Promise<void>;
  /** Replaces a file of that name. */
  rename(path: string, name: string): Promise<void>;
  /** A file, or a folder with all in it; nothing there is no error. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder survive a power cut. */
  syncFolder(path: string): Promise<void>;
}

/** The disk of this machine. */
export const nodeFileSystem: FileSystem = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true });
  },
  list: (path) => readdir(path),
  open: (path) => openFile(path, 'r'),
  create: (path) => openFile(path, 'wx'),
  readText: (path) => readFile(path, 'utf8'),
  link,
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  async syncFolder(path) {
    if (process.platform === 'win32') return; // Windows opens no folders
    const folder = await open(path);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

async function openFile(path: string, flags: 'r' | 'wx'): Promise<OpenFile> {
  const file = await open(path, flags);
  return {
    size: async () => (await file.stat()).size,
    async read(target, position) {
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await file.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    write: (bytes) => file.writeFile(bytes),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
