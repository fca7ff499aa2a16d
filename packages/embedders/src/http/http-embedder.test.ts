import { inspect } from 'node:util';
import { embed, InputError, InvalidArgumentError, type WorkEvent } from '@rarefy/core';
import { embedderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { afterAll, describe, expect, test, vi } from 'vitest';
import {
  answer,
  dimensions,
  entriesOf,
  type Fault,
  passingFaults,
  randomFaults,
  startEmbeddingServer,
} from '../../../../tests/support/embedding-server.js';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { type HttpEmbedderOptions, httpEmbedder } from './http-embedder.js';

const texts = ['many words', '', 'the words of the answers', 'a', 'many words', '👩‍👩‍👧‍👦', 'half a pair \ud83d'];
const open: { stop(): Promise<void> }[] = [];
afterAll(() => Promise.all(open.map((server) => server.stop())));

/** A server with a fault, and its embedder. The first request, for the number of columns, always succeeds. */
async function served(fault: Fault, options: Partial<HttpEmbedderOptions> = {}) {
  const server = await startEmbeddingServer((asked, response) =>
    asked.texts[0] === 'dimensions' ? undefined : fault(asked, response),
  );
  open.push(server);
  const embedder = await httpEmbedder({ url: server.url, model: 'words', onEvent: () => {}, ...options });
  return { server, embedder };
}

const plain = await startEmbeddingServer();
open.push(plain);
describeChecks(
  'httpEmbedder',
  embedderChecks({
    create: () => httpEmbedder({ url: plain.url, model: 'words' }),
    variants: [
      () => httpEmbedder({ url: plain.url, model: 'others' }),
      () => httpEmbedder({ url: plain.url, model: 'words', normalize: false }),
    ],
  }),
);

test('every row equals the row without faults, though 30 % of the attempts fail', async () => {
  const rows = casesOf(2_000, 10_000);
  const items = Array.from({ length: rows }, (_, row) => `prompt ${row} about ${row % 97} things, number ${row * row}`);
  const { server, embedder } = await served(randomFaults(0.3, 11), { maxBatch: 40, attemptTimeoutMs: 1000 });
  const own = await httpEmbedder({ url: plain.url, model: 'words' });
  const parts = 8; // requested concurrently
  const size = rows / parts;
  const slices = await Promise.all(
    Array.from({ length: parts }, (_, part) =>
      embed(embedder, items.slice(part * size, (part + 1) * size), { batchSize: 40 }),
    ),
  );
  const expected = await embed(own, items);
  slices.forEach((slice, part) => {
    const rows = expected.data.slice(part * size * dimensions, (part + 1) * size * dimensions);
    expect(Buffer.compare(Buffer.from(slice.data.buffer), Buffer.from(rows.buffer))).toBe(0);
  });
  const attempts = server.requests.length - 1;
  const requests = parts * Math.ceil(size / 40);
  expect(attempts).toBeGreaterThan(1.2 * requests);
  expect(attempts).toBeLessThanOrEqual(2 * requests);
});

describe('the next attempt succeeds after a single fault', () => {
  test.each(Object.entries(passingFaults))('%s', async (kind, fail) => {
    const isEndless = kind === 'a byte at a time'; // ends by a timeout, which may also hit a valid answer
    const events: WorkEvent[] = [];
    const { server, embedder } = await served(
      (asked, response) => {
        if (asked.earlier > 0) return undefined;
        fail(asked, response);
        return true;
      },
      isEndless ? { attemptTimeoutMs: 500 } : {},
    );
    const { data } = await embed(embedder, texts, { onEvent: (event) => events.push(event) });
    expect(data).toEqual((await embed(await httpEmbedder({ url: plain.url, model: 'words' }), texts)).data);
    if (isEndless) expect(server.requests.length).toBeGreaterThanOrEqual(3);
    else expect(server.requests).toHaveLength(3);
    const [message] = events.filter(({ type }) => type === 'work-message');
    expect(message).toMatchObject({ message: expect.stringMatching(/\/v1\/embeddings .+; trying again in \d+ ms$/) });
  });
});

describe('the first answer shows at once that the address is not that of such a service', () => {
  const kinds: [name: string, status: number, body: string, message: string][] = [
    [
      'an HTML page',
      200,
      '<html>\n hello</html>',
      'answered, but the answer is not JSON: <html> hello</html>; check that url is an API',
    ],
    ['nothing', 200, '', 'answered, but the answer is not JSON: it is empty; check that url'],
    [
      'other JSON',
      200,
      '{"models":["a"]}',
      'the answer has no list "data" of embeddings: {"models":["a"]}; check that url',
    ],
    [
      'an error with status 200',
      200,
      '{"error":"no model"}',
      'has no list "data" of embeddings: {"error":"no model"}; check',
    ],
    [
      'rows of texts',
      200,
      '{"data":[{"index":0,"embedding":["a"]}]}',
      'has "a" in embedding 0, column 0; check that url',
    ],
    [
      'encoded rows',
      200,
      '{"data":[{"index":0,"embedding":"AAAA"}]}',
      'has no numbers in its first embedding; check that url',
    ],
    ['404', 404, '<h1>Not found</h1>', 'answered 404 (<h1>Not found</h1>); check address, model and key'],
    ['404 of another API', 404, '{"detail":"Not Found"}', 'answered 404 ({"detail":"Not Found"}); check address'],
    ['501', 501, 'Unsupported method (POST)', 'answered 501 (Unsupported method (POST)); check address'],
  ];
  test.each(kinds)('%s', async (_, status, body, message) => {
    const server = await startEmbeddingServer((__, response) => {
      response.writeHead(status).end(body);
      return true;
    });
    open.push(server);
    const failure = httpEmbedder({ url: server.url, model: 'words' });
    await expect(failure).rejects.toBeInstanceOf(InputError);
    await expect(failure).rejects.toThrow(message);
    expect(server.requests).toHaveLength(1);
  });
});

test('retries are events of the factory and of the call, otherwise warnings on the console', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  const server = await startEmbeddingServer(({ earlier }, response) => {
    if (earlier > 0) return undefined;
    response.writeHead(503, { 'retry-after': '0' }).end();
    return true;
  });
  open.push(server);
  const retry = expect.stringMatching(/\/v1\/embeddings answered 503; trying again in \d+ ms$/);
  const events: WorkEvent[] = [];
  const quiet = await httpEmbedder({ url: server.url, model: 'words', onEvent: (event) => events.push(event) });
  expect(events).toEqual([{ type: 'work-message', task: 'embed', message: retry }]);
  await embed(quiet, ['a']);
  expect(events).toHaveLength(2);
  expect(warn).not.toHaveBeenCalled();
  await embed(await httpEmbedder({ url: server.url, model: 'words' }), ['b']);
  expect(warn.mock.calls).toEqual([[retry]]);
  warn.mockRestore();
  const reason = new Error('enough');
  const aborted = httpEmbedder({ url: server.url, model: 'words', signal: AbortSignal.abort(reason) });
  await expect(aborted).rejects.toBe(reason);
});

test('rows are sorted by their index', async () => {
  const { embedder, server } = await served((asked, response) => {
    entriesOf(asked).then((entries) => answer(response, entries.reverse()));
    return true;
  });
  const expected = await embed(await httpEmbedder({ url: plain.url, model: 'words' }), texts);
  expect((await embed(embedder, texts)).data).toEqual(expected.data);
  expect(server.requests).toHaveLength(2);
});

test('texts are halved for a service that takes few at a time, and one text that is too long is an error', async () => {
  const most = (count: number, characters: number): Fault => {
    return ({ texts: asked }, response) => {
      if (asked.length <= count && asked.every(({ length }) => length <= characters)) return undefined;
      response.writeHead(413).end('{"error":{"message":"batch size\\n too large"}}');
      return true;
    };
  };
  const { embedder } = await served(most(2, 100));
  const expected = await embed(await httpEmbedder({ url: plain.url, model: 'words' }), texts);
  expect((await embed(embedder, texts)).data).toEqual(expected.data);
  await expect(embed(embedder, ['short', 'x'.repeat(101)])).rejects.toThrow(
    /answered 413 \(batch size too large\): one text of 101 characters is too long; shorten it$/,
  );
});

test('a permanent refusal fails at once with its status, its reason and what to check', async () => {
  for (const status of [400, 401, 403, 404, 422]) {
    const { embedder, server } = await served((_, response) => {
      response.writeHead(status).end('{"error":{"message":"no such model"}}');
      return true;
    });
    const failure = embed(embedder, texts);
    await expect(failure).rejects.toBeInstanceOf(InputError);
    await expect(failure).rejects.toThrow(`answered ${status} (no such model); check address, model and key`);
    expect(server.requests).toHaveLength(2);
  }
});

test.each([301, 302, 303, 307, 308])(
  'a redirect with status %i fails at once and names the new address',
  async (status) => {
    const { embedder, server } = await served(({ earlier }, response) => {
      const location = [
        'https://user:hunter2@new.example/v2/embeddings?token=hunter2#hunter2',
        '/v2/embeddings',
        'file:///etc/passwd',
        undefined,
      ][earlier];
      response.writeHead(status, location === undefined ? {} : { location }).end('hunter2');
      return true;
    });
    for (const address of [
      ' to https://new.example/v2/embeddings;',
      ` to ${new URL('/v2/embeddings', server.url).href};`,
      ' to an address that is not http or https;',
      ' without a new address;',
    ]) {
      const failure = await embed(embedder, texts).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InputError);
      const { message } = failure as InputError;
      expect(message).toContain(`/v1/embeddings answered ${status}, a redirect${address}`);
      expect(message).toMatch(/; redirects are not followed, to keep the key and the texts from other servers/);
      expect(message).not.toMatch(/hunter2|passwd/);
    }
    expect(server.requests).toHaveLength(5);
  },
);

test('gives up after the last attempt, before the deadline, and if the service is down', async () => {
  const failing: Fault = (_, response) => {
    response.writeHead(503, { 'retry-after': '0' }).end();
    return true;
  };
  const { embedder, server } = await served(failing, { maxAttempts: 3 });
  await expect(embed(embedder, texts)).rejects.toThrow(/answered 503; gave up after 3 attempts$/);
  expect(server.requests).toHaveLength(4);
  const late = await served((_, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end();
    return true;
  });
  await expect(embed(late.embedder, texts)).rejects.toThrow(
    'gave up after 1 attempt: the next one, in 3600.0 s, would be after the deadline of 600 s',
  );
  await late.server.stop();
  const absent = httpEmbedder({ url: late.server.url, model: 'words', maxAttempts: 2, onEvent: () => {} });
  await expect(absent).rejects.toThrow(
    /could not be reached or closed the connection \(ECONNREFUSED\); gave up after 2 attempts$/,
  );
});

test('an abort ends a wait and a hanging request with its reason', async () => {
  const waiting: Fault = (_, response) => {
    response.writeHead(429, { 'retry-after': '500' }).end();
    return true;
  };
  const hanging: Fault = () => true;
  for (const fault of [waiting, hanging]) {
    const { embedder, server } = await served(fault, { attemptTimeoutMs: 60_000 });
    const controller = new AbortController();
    const work = embed(embedder, texts, { signal: controller.signal });
    while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    await expect(work).rejects.toBe(reason);
  }
});

test('the key is sent and appears nowhere else', async () => {
  const apiKey = 'sk-"secret/+%41';
  const messages: string[] = [];
  const record = { onEvent: (event: WorkEvent) => messages.push(JSON.stringify(event)) };
  const echo: Fault = ({ headers, earlier }, response) => {
    const message = `wrong key ${headers.authorization}, ${encodeURIComponent(apiKey)}`;
    response.writeHead(earlier === 0 ? 503 : 401, { 'x-key': apiKey }).end(JSON.stringify({ error: { message } }));
    return true;
  };
  const { embedder, server } = await served(echo, { apiKey });
  expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${apiKey}`);
  const error = await embed(embedder, texts, record).catch((thrown: unknown) => thrown);
  messages.push(
    inspect(error, { depth: 20, showHidden: true }),
    inspect(embedder, { depth: 20 }),
    embedder.fingerprint,
  );
  expect(messages.join('\n')).toContain('wrong key Bearer [key], [key]');
  for (const form of ['secret', encodeURIComponent(apiKey)]) expect(messages.join('\n')).not.toContain(form);
});

test('options out of range and an address with a secret are rejected before any request, without repeating the secret', async () => {
  const ask = (options: Partial<HttpEmbedderOptions>) => httpEmbedder({ url: plain.url, model: 'words', ...options });
  const before = plain.requests.length;
  const wrong: Partial<HttpEmbedderOptions>[] = [
    { url: 'localhost:8080' },
    { url: 'file:///etc/passwd' },
    { url: 'http://user:hunter2@localhost/v1' },
    { url: 'http://localhost/v1?key=hunter2' },
    { apiKey: 'hunter2\n' },
    { maxBatch: 0 },
    { maxAttempts: 1.5 },
    { attemptTimeoutMs: 0 },
    { deadlineMs: Number.POSITIVE_INFINITY },
    { dimensions: -1 },
  ];
  for (const options of wrong) {
    const error: Error = await ask(options).then(
      () => new Error(`${JSON.stringify(options)} was accepted`),
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).not.toContain('hunter2');
  }
  expect(plain.requests.length).toBe(before);
  await expect(ask({ dimensions: 8, maxAttempts: 1 })).rejects.toThrow('has 24 numbers in embedding 0; expected 8');
});
