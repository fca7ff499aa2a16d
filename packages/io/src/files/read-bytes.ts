import { type FileHandle, open } from 'node:fs/promises';
import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type CallOptions, callOptionNames, checkOptions, InputError } from '@rarefy/core';
import { fileError, orFileError } from '../messages.js';

const chunkBytes = 2 ** 18;

/** Name of the source for messages. */
export function sourceName(source: string): string {
  return source === '-' ? 'standard input' : source;
}

/**
 * The bytes of a file, or of standard input for `-`, in chunks. Gzip data is recognized by its first two bytes and decompressed;
 * several gzip members in a row are one stream. With `reuse`, a chunk is valid only until the next one is requested.
 * @throws InputError if it cannot be read, or its gzip data is damaged or truncated; the signal's reason on abort.
 */
export function readBytes(
  source: string,
  options: CallOptions & { readonly reuse?: boolean } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  checkOptions(options, ['reuse', ...callOptionNames], 'readBytes');
  return bytesOf(source, options.reuse ?? false, options.signal);
}

async function* bytesOf(
  source: string,
  reuse: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffers = { reuse: false };
  const chunks = source === '-' ? readStandardInput(signal) : readFileChunks(source, buffers, signal);
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < 2) {
    const next = await chunks.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const packed = head[0] === 0x1f && head[1] === 0x8b;
  buffers.reuse = reuse && !packed; // the decompressor reads chunks ahead
  const all = startingWith(head, chunks);
  yield* packed ? unpack(all, sourceName(source), signal) : all;
}

async function* startingWith(head: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head;
    yield* rest;
  } finally {
    await rest.return(undefined); // also if the caller stopped after the head
  }
}

async function* readFileChunks(
  path: string,
  buffers: { readonly reuse: boolean },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let into: Buffer | undefined;
  let file: FileHandle | undefined;
  try {
    signal?.throwIfAborted();
    file = await orFileError('read', path, open(path));
    for (;;) {
      signal?.throwIfAborted();
      if (!into || !buffers.reuse) into = Buffer.allocUnsafeSlow(chunkBytes);
      const { buffer, bytesRead } = await orFileError('read', path, file.read(into));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file?.close();
  }
}

async function* readStandardInput(signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  if (signal) addAbortSignal(signal, process.stdin);
  try {
    for await (const chunk of process.stdin) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  } catch (cause) {
    signal?.throwIfAborted();
    throw fileError('read', sourceName('-'), cause);
  }
}

async function* unpack(
  packed: AsyncIterable<Uint8Array>,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pipeline(Readable.from(packed), createGunzip(), () => {}); // errors surface in the loop that consumes this generator
  } catch (cause) {
    signal?.throwIfAborted();
    const code = String((cause as { code?: unknown }).code);
    if (code === 'Z_BUF_ERROR') {
      throw new InputError(`${name} is truncated. Copy or download it again.`, { cause });
    }
    if (code.startsWith('Z_')) {
      throw new InputError(`${name} is damaged: its gzip data cannot be decompressed. Copy or download it again.`, {
        cause,
      });
    }
    throw cause;
  }
}
