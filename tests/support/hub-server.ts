import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A repository of a test: files by path. `large` files have a SHA-256 and a redirect, as with LFS. */
export interface HubRepository {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly large?: readonly string[];
  readonly tags?: readonly string[];
  /** Default {@link commit}. */
  readonly commit?: string;
}

/** Answers the request itself if it returns true. `earlier` is the number of earlier requests for the same address. */
export type HubFault = (request: IncomingMessage, response: ServerResponse, earlier: number) => boolean;

export const commit = '0123456789abcdef0123456789abcdef01234567';

/**
 * The routes of a Hugging Face hub that downloads use, on loopback, over repositories `models/owner/name` and
 * `datasets/owner/name`.
 */
export async function startHub(repositories: Readonly<Record<string, HubRepository>>, fault: HubFault = () => false) {
  const requests: {
    readonly url: string;
    readonly range: string | undefined;
    readonly authorization: string | undefined;
  }[] = [];
  const seen = new Map<string, number>();
  const bytesOf = (repository: HubRepository, path: string) => Buffer.from(repository.files[path]!);

  const server = createServer((request, response) => {
    const url = decodeURIComponent(request.url!);
    const { range, authorization } = request.headers;
    requests.push({ url, range, authorization });
    const earlier = seen.get(url) ?? 0;
    seen.set(url, earlier + 1);
    if (fault(request, response, earlier)) return;
    const [, kind, name, route] =
      /^\/(?:api\/)?(models|datasets)?\/?([\w.-]+\/[\w.-]+)\/(revision|tree|resolve|cdn)\//.exec(url) ?? [];
    const repository = repositories[`${kind ?? 'models'}/${name}`];
    const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (repository === undefined) {
      response.statusCode = 404;
      json({ error: 'Repository not found' });
    } else if (route === 'revision') {
      json({
        _id: '1',
        id: name,
        sha: repository.commit ?? commit,
        tags: repository.tags ?? [],
        downloads: 0,
        likes: 0,
        private: false,
      });
    } else if (route === 'tree') {
      // One entry per page, so that the client must follow the links.
      const paths = Object.keys(repository.files);
      const page = Number(new URL(url, 'http://h').searchParams.get('cursor') ?? 0);
      const next = `http://${request.headers.host}${request.url!.split('&cursor')[0]}&cursor=${page + 1}`;
      if (page + 1 < paths.length) response.setHeader('link', `<${next}>; rel="next"`);
      json(paths.slice(page, page + 1).map((path) => entryOf(path, bytesOf(repository, path), repository.large)));
    } else {
      const path = url.slice(url.indexOf(`/${route}/`) + `/${route}/`.length).replace(/^[^/]+\//, '');
      if (repository.files[path] === undefined) response.writeHead(404).end();
      else if (route === 'resolve' && repository.large?.includes(path)) {
        response.writeHead(302, { location: request.url!.replace('/resolve/', '/cdn/') }).end();
      } else sendRange(response, bytesOf(repository, path), range);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function entryOf(path: string, bytes: Buffer, large: readonly string[] = []) {
  const blob = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const lfs = large.includes(path) ? { lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } } : {};
  return { type: 'file', path, size: bytes.length, oid: blob, ...lfs };
}

/** All bytes, or with `bytes=N-` those from offset N. */
export function sendRange(response: ServerResponse, bytes: Buffer, range: string | undefined): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  if (start > 0) {
    response.writeHead(206, { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
  }
  response.end(bytes.subarray(start));
}
