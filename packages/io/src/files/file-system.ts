import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';

/** An open file. Every call goes to the disk without buffering. */
export interface OpenFile {
  size(): Promise<number>;
  /**
   * Fills `target` with the bytes from `offset` on. Returns the number of bytes read, which is smaller only at the end of the
   * file.
   */
  read(target: Uint8Array, offset: number): Promise<number>;
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The disk operations that writing needs, few enough that a test can make each of them fail. They throw Node's errors. */
export interface FileSystem {
  /** Creates a folder and its parents. It may exist already. */
  makeFolder(path: string): Promise<void>;
  /** The names in a folder. */
  list(path: string): Promise<string[]>;
  open(path: string): Promise<OpenFile>;
  /** Opens a new file for writing. Fails if the name exists. */
  create(path: string): Promise<OpenFile>;
  /** Content of a small file, decoded as UTF-8. */
  readText(path: string): Promise<string>;
  /** Gives a file a second name. Fails if that name exists. */
  link(path: string, name: string): Promise<void>;
  /** Replaces a file that has the new name. */
  rename(path: string, name: string): Promise<void>;
  /** Removes a file, or a folder with its content. It need not exist. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder survive a power failure. */
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
    if (process.platform === 'win32') return; // Windows cannot open folders
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
    async read(target, offset) {
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await file.read(target, done, target.length - done, offset + done);
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
