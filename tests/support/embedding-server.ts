import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { counterRandom, digest } from '@rarefy/core';
import { hashEmbedder } from '@rarefy/embedders/hash';

/** A request to the server. */
export interface Asked {
  readonly texts: readonly string[];
  readonly model: string;
  readonly headers: IncomingMessage['headers'];
  /** Number of earlier requests for the same texts. */
  readonly earlier: number;
}

/** Answers a request itself and returns true, or returns undefined to let the server answer. */
export type Fault = (asked: Asked, response: ServerResponse) => true | undefined;

/** Columns of every row. */
export const dimensions = 24;

/** A loopback server of OpenAI's `/v1/embeddings`. Its model is hashEmbedder with a seed computed from the model's name. */
export async function startEmbeddingServer(fault: Fault = () => undefined) {
  const attempts = new Map<string, number>();
  const requests: Asked[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { input, model } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { input: string[]; model: string };
    const key = JSON.stringify(input);
    const asked: Asked = { texts: input, model, headers: request.headers, earlier: attempts.get(key) ?? 0 };
    attempts.set(key, asked.earlier + 1);
    requests.push(asked);
    if (fault(asked, response)) return;
    answer(response, await entriesOf(asked));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Entry {
  index: number;
  embedding: (number | null)[];
}

export async function entriesOf({ texts, model }: Pick<Asked, 'texts' | 'model'>): Promise<Entry[]> {
  const seed = Number.parseInt(model, 36) % 2 ** 31;
  const { embeddings } = await hashEmbedder({ dimensions, seed }).embedBatch([...texts]);
  return texts.map((_, index) => ({
    index,
    embedding: Array.from(embeddings.data.subarray(index * dimensions, (index + 1) * dimensions)),
  }));
}

export function answer(response: ServerResponse, data: readonly Entry[]): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ object: 'list', data }));
}

/** All kinds of temporary faults, by name. */
export const passingFaults: Readonly<Record<string, (asked: Asked, response: ServerResponse) => void>> = {
  '408': (_, response) => response.writeHead(408).end(),
  '429 without a header': (_, response) => response.writeHead(429).end(),
  '429 with seconds': (_, response) => response.writeHead(429, { 'retry-after': '0' }).end(),
  '429 with a date': (_, response) => response.writeHead(429, { 'retry-after': new Date().toUTCString() }).end(),
  '500': (_, response) => response.writeHead(500).end('<h1>broken</h1>'),
  '502': (_, response) => response.writeHead(502).end(),
  '503': (_, response) => response.writeHead(503).end('{"error":"starting"}'),
  '504': (_, response) => response.writeHead(504).end(),
  'a reset before the answer': (_, response) => response.socket!.resetAndDestroy(),
  'a reset in the body': (_, response) => {
    response.writeHead(200, { 'content-length': '5000' }).write('{"data":[');
    setTimeout(() => response.socket?.resetAndDestroy(), 5);
  },
  'incomplete JSON': async (asked, response) => {
    const whole = JSON.stringify({ data: await entriesOf(asked) });
    response.end(whole.slice(0, whole.length / 2));
  },
  'a missing row': async (asked, response) => answer(response, (await entriesOf(asked)).slice(1)),
  'a repeated row': async (asked, response) => {
    const entries = await entriesOf(asked);
    answer(response, [...entries.slice(1), entries.at(-1)!]);
  },
  'a null': async (asked, response) => {
    const entries = await entriesOf(asked);
    entries[0]!.embedding[3] = null;
    answer(response, entries);
  },
  'a number beyond float32': async (asked, response) => {
    const entries = await entriesOf(asked);
    entries[0]!.embedding[0] = 1e200;
    answer(response, entries);
  },
  'rows of another length': async (asked, response) => {
    const entries = await entriesOf(asked);
    answer(
      response,
      entries.map((entry) => ({ ...entry, embedding: entry.embedding.slice(1) })),
    );
  },
  'a byte at a time': (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 10);
    response.on('close', () => clearInterval(timer));
  },
  'an HTML page': (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'),
  'bytes that are not UTF-8': (_, response) => response.writeHead(200).end(Buffer.from([0xff, 0xfe, 0x80])),
  'a gzip bomb': (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
};

const bomb = gzipSync(Buffer.alloc(2 ** 25, ' '));

/** Fails a share of the attempts. Which ones, and how, depends only on the texts and the number of earlier attempts. */
export function randomFaults(share: number, seed: number): Fault {
  const random = counterRandom(seed);
  const kinds = Object.values(passingFaults);
  return (asked, response) => {
    const hash = digest(Array.from(asked.texts.join('\0'), (letter) => letter.codePointAt(0)!));
    const index = 4 * (Number.parseInt(hash.slice(0, 8), 16) * 64 + asked.earlier);
    if (random.uniform(index) >= share) return undefined;
    if (asked.texts.length > 1 && random.uniform(index + 1) < 1 / kinds.length) response.writeHead(413).end();
    else kinds[Math.floor(random.uniform(index + 2) * kinds.length)]!(asked, response);
    return true;
  };
}
