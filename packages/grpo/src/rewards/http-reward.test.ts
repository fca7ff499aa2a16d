import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { InputError, InvalidArgumentError, type WorkEvent } from '@rarefy/core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Completion } from '../rollout/rollout.js';
import { type HttpRewardOptions, httpReward } from './http-reward.js';
import { scoreCompletions } from './reward-function.js';

interface Asked {
  readonly prompts: readonly string[];
  readonly completions: readonly string[];
  readonly positions: readonly number[];
}
/** Answers a request itself and returns true, or returns undefined to let the server answer. */
type Fault = (response: ServerResponse, asked: Asked, earlier: number) => true | undefined;

const completions = ['', 'one', 'two words', 'a half \ud83d of a pair', '👩‍👩‍👧‍👦'].map(
  (text, position): Completion => ({
    prompt: `p${position}`,
    text,
    position,
    ids: new Int32Array(0),
    terminated: true,
  }),
);
/** The rewards of the server: null for an empty text. */
const rewardOf = (text: string) => (text === '' ? null : text.length / 7);
const expected = completions.map(({ text }) => rewardOf(text.replace('\ud83d ', '\ufffd ')));

const open: (() => Promise<void>)[] = [];
afterEach(() => Promise.all(open.splice(0).map((stop) => stop())));

/** A server on loopback, and its reward. */
async function served(fault: Fault = () => undefined, options: Partial<HttpRewardOptions> = {}) {
  const requests: { readonly asked: Asked; readonly headers: IncomingMessage['headers'] }[] = [];
  const attempts = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const asked = JSON.parse(text) as Asked;
    const earlier = attempts.get(text) ?? 0;
    attempts.set(text, earlier + 1);
    requests.push({ asked, headers: request.headers });
    if (fault(response, asked, earlier)) return;
    response.end(JSON.stringify({ rewards: asked.completions.map(rewardOf), more: true }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rewards`;
  return { url, requests, reward: httpReward({ url, ...options }) };
}

test('prompts, completions and positions are sent in batches, and rewards keep their order', async () => {
  const { reward, requests } = await served(undefined, { batchSize: 2, maxConcurrency: 3, apiKey: 'hunter2' });
  expect(await reward(completions)).toEqual(expected);
  expect(requests.map(({ asked }) => asked.positions).sort()).toEqual([[0, 1], [2, 3], [4]]);
  const whole = requests.find(({ asked }) => asked.positions[0] === 2)!;
  expect(whole.asked).toEqual({
    ...{ prompts: ['p2', 'p3'], completions: ['two words', 'a half \ufffd of a pair'], positions: [2, 3] },
  });
  expect(whole.headers).toMatchObject({ authorization: 'Bearer hunter2', 'content-type': 'application/json' });
  expect(await reward([])).toEqual([]);
  expect(requests).toHaveLength(3);
});

test('a null does not count in the total', async () => {
  const { reward } = await served();
  const constant = () => Float64Array.from(completions, () => 2);
  const scored = await scoreCompletions([{ name: 'http', reward, weight: 7 }], completions);
  expect(scored.total[0]).toBeNaN();
  expect(scored.total[1]).toBe(3);
  const both = await scoreCompletions(
    [
      { name: 'http', reward, weight: 7 },
      { name: 'two', reward: constant },
    ],
    completions,
  );
  expect([...both.total.slice(0, 2)]).toEqual([2, 5]);
});

const answering = (text: string | Uint8Array, headers = {}): ((response: ServerResponse) => void) => {
  return (response) => response.writeHead(200, headers).end(text);
};
const passing: Readonly<Record<string, [fail: (response: ServerResponse) => void, message: string]>> = {
  '429 with seconds': [(response) => response.writeHead(429, { 'retry-after': '0' }).end(), 'answered 429'],
  '429 with a date': [
    (response) => response.writeHead(429, { 'retry-after': new Date().toUTCString() }).end(),
    'answered 429',
  ],
  '408': [(response) => response.writeHead(408).end(), 'answered 408'],
  '500': [(response) => response.writeHead(500).end('<h1>broken</h1>'), 'answered 500 (<h1>broken</h1>)'],
  '503': [(response) => response.writeHead(503).end(), 'answered 503'],
  'a reset': [(response) => response.socket!.resetAndDestroy(), 'could not be reached or closed the connection'],
  'a reset in the body': [
    (response) => {
      response.writeHead(200, { 'content-length': '5000' }).write('{"rewards":[');
      setTimeout(() => response.socket?.resetAndDestroy(), 5);
    },
    'closed the connection',
  ],
  'half an answer': [answering('{"rewards":[1,2'), 'the answer is not JSON: {"rewards":[1,2'],
  'one reward too few': [answering('{"rewards":[1,2,3,4]}'), 'has 4 rewards for 5 completions'],
  'one reward too many': [answering('{"rewards":[1,2,3,4,5,6]}'), 'has 6 rewards for 5 completions'],
  'no list': [answering('{"scores":[1,2,3,4,5]}'), 'has no list "rewards"'],
  'a bare list': [answering('[1,2,3,4,5]'), 'has no list "rewards"'],
  'NaN in JSON': [answering('{"rewards":[1,2,NaN,4,5]}'), 'is not JSON, which has no NaN and no Infinity'],
  'NaN as a text': [
    answering('{"rewards":[1,2,"NaN",4,5]}'),
    'has "NaN" as reward 2; expected a finite number or null',
  ],
  'a number beyond float64': [
    answering('{"rewards":[1,2,1e999,4,5]}'),
    'as reward 2; expected a finite number or null',
  ],
  'an HTML page': [answering('<html>hello</html>'), 'is not JSON: <html>hello</html>'],
  'a gzip bomb': [answering(gzipSync(Buffer.alloc(2 ** 25, ' ')), { 'content-encoding': 'gzip' }), 'is larger than'],
};

describe('the next attempt succeeds after', () => {
  test.each(Object.entries(passing))('%s', async (_, [fail, message]) => {
    const { reward, requests } = await served((response, __, earlier) => {
      if (earlier > 0) return undefined;
      fail(response);
      return true;
    });
    const events: WorkEvent[] = [];
    expect(await reward(completions, { onEvent: (event) => events.push(event) })).toEqual(expected);
    expect(requests).toHaveLength(2);
    expect(events).toEqual([
      { type: 'work-message', task: 'reward', message: expect.stringMatching(/\/rewards .+; trying again in \d+ ms$/) },
    ]);
    expect(events[0]).toMatchObject({ message: expect.stringContaining(message) });
  });

  test('a slow answer', async () => {
    const { reward, requests } = await served(
      (response, _, earlier) => {
        if (earlier > 0) return undefined;
        response.writeHead(200);
        const timer = setInterval(() => response.write(' '), 10);
        response.on('close', () => clearInterval(timer));
        return true;
      },
      { attemptTimeoutMs: 400 },
    );
    const events: WorkEvent[] = [];
    expect(await reward(completions, { onEvent: (event) => events.push(event) })).toEqual(expected);
    expect(requests.length).toBeGreaterThanOrEqual(2);
    expect(events[0]).toMatchObject({ message: expect.stringContaining('did not answer within 400 ms') });
  });
});

test('a refusal is an error at once, without the key, and stops the other requests', async () => {
  for (const [status, fix] of [
    [400, 'check address and key'],
    [401, 'check address and key'],
    [413, 'send fewer or shorter texts per request'],
    [501, 'check address and key'],
  ] as const) {
    const { reward, requests } = await served(
      (response) => {
        response.writeHead(status).end('{"error":"key hunter2%21 or hunter2! is wrong"}');
        return true;
      },
      { apiKey: 'hunter2!', batchSize: 1, maxConcurrency: 1 },
    );
    const failed = reward(completions);
    await expect(failed).rejects.toBeInstanceOf(InputError);
    await expect(failed).rejects.toThrow(
      new RegExp(`/rewards answered ${status} \\(key \\S+ or \\[key\\] is wrong\\); ${fix}$`),
    );
    await expect(failed).rejects.not.toThrow('hunter2!');
    expect(requests).toHaveLength(1);
  }
});

test.each([301, 302, 307, 308])('a redirect with status %i is not followed', async (status) => {
  const other = await served();
  const { reward } = await served((response) => {
    response.writeHead(status, { location: other.url }).end();
    return true;
  });
  await expect(reward(completions)).rejects.toThrow(
    `answered ${status}, a redirect to ${other.url}; redirects are not followed`,
  );
  expect(other.requests).toEqual([]);
});

test('attempts and time are limited', async () => {
  const busy: Fault = (response) => {
    response.writeHead(503, { 'retry-after': '0' }).end();
    return true;
  };
  const { reward, requests } = await served(busy, { maxAttempts: 3 });
  const warnings = vi.spyOn(console, 'warn').mockReturnValue();
  await expect(reward(completions)).rejects.toThrow('answered 503; gave up after 3 attempts');
  expect(requests).toHaveLength(3);
  expect(warnings).toHaveBeenCalledTimes(2); // without onEvent
  warnings.mockRestore();
  const late = await served(
    (response) => {
      response.writeHead(503, { 'retry-after': '3600' }).end();
      return true;
    },
    { deadlineMs: 1000 },
  );
  await expect(late.reward(completions)).rejects.toThrow(
    'gave up after 1 attempt: the next one, in 3600.0 s, would be after the deadline of 1 s',
  );
});

test('an abort rejects with its reason, during a request and during a wait', async () => {
  for (const fault of [
    () => true as const, // never answers
    (response: ServerResponse) => {
      response.writeHead(503, { 'retry-after': '60' }).end();
      return true as const;
    },
  ]) {
    const { reward } = await served(fault);
    const stop = new AbortController();
    const aborted = reward(completions, { signal: stop.signal, onEvent: () => {} });
    const reason = new Error('enough');
    setTimeout(() => stop.abort(reason), 100);
    await expect(aborted).rejects.toBe(reason);
  }
});

test('options are checked, and messages repeat no secret', () => {
  const url = 'http://127.0.0.1:1/rewards';
  const wrong: [options: object, message: string][] = [
    [{ url, uri: 1 }, 'httpReward has no option "uri"'],
    [{}, 'url must be an http or https address'],
    [{ url: 'file:///etc/passwd' }, 'url must be an http or https address'],
    [{ url: 'http://me:hunter2@host/' }, 'url must have no user, password, query or fragment; give a key as apiKey'],
    [{ url: 'http://host/?key=hunter2' }, 'url must have no user, password, query or fragment'],
    [{ url, apiKey: 'hunter2\n' }, 'apiKey must be a text of printable ASCII characters'],
    [{ url, batchSize: 0 }, 'batchSize must be'],
    [{ url, maxConcurrency: 1.5 }, 'maxConcurrency must be'],
    [{ url, maxAttempts: 0 }, 'maxAttempts must be'],
    [{ url, attemptTimeoutMs: 0 }, 'attemptTimeoutMs must be in (0, 2^31) ms, got 0'],
    [{ url, deadlineMs: 2 ** 31 }, 'deadlineMs must be in (0, 2^31) ms'],
  ];
  for (const [options, message] of wrong) {
    const make = () => httpReward(options as never);
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
    expect(make).not.toThrow('hunter2');
  }
});
