import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  CorruptFileError,
  counterRandom,
  InputError,
  InvalidArgumentError,
  LockedError,
  type WorkEvent,
} from '@rarefy/core';
import { lockFile } from '@rarefy/io';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { commit, type HubFault, sendRange, startHub } from '../../../../tests/support/hub-server.js';
import { type PullModelOptions, pulledModelFolder, pulledModels, pullModel } from './pull-model.js';

const random = counterRandom(4);
const weights = Buffer.from(Float64Array.from({ length: 40_000 }, (_, at) => random.uniform(at)).buffer);
const sentenceModel = {
  files: {
    'README.md': 'not needed',
    'modules.json': '[]',
    'config.json': '{"a":1}',
    'tokenizer.json': '{"ö":"ü"}',
    '1_Pooling/config.json': '{}',
    'onnx/model.onnx': weights,
    'onnx/model_quantized.onnx': 'q',
    'pytorch_model.bin': 'never',
  },
  large: ['onnx/model.onnx', 'pytorch_model.bin'],
  tags: ['sentence-similarity', 'license:apache-2.0'],
};
const languageModel = {
  files: {
    'config.json': '{}',
    'tokenizer.json': '{}',
    'model-00001-of-00002.safetensors': 'a',
    'model-00002-of-00002.safetensors': 'b',
    'model.safetensors.index.json': '{}',
  },
};
const repositories = {
  'models/sentence-transformers/all-MiniLM-L6-v2': sentenceModel,
  'models/some/language-model': languageModel,
  'models/some/empty': { files: { 'README.md': 'x', 'tf_model.bin': 'x' } },
};
const needed = ['config.json', 'tokenizer.json', '1_Pooling/config.json', 'onnx/model.onnx', 'modules.json'] as const;

let cache: string;
const stops: (() => Promise<void>)[] = [];
const environment = { ...process.env };
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'rarefy-hub-'));
  process.env.XDG_CACHE_HOME = cache;
});
afterEach(() => {
  rmSync(cache, { recursive: true });
  process.env = { ...environment };
});
afterAll(() => Promise.all(stops.map((stop) => stop())));

async function hub(fault?: HubFault) {
  const server = await startHub(repositories, fault);
  stops.push(server.stop);
  const pull = (name = 'all-MiniLM-L6-v2', options: PullModelOptions = {}) =>
    pullModel(name, { endpoint: server.endpoint, ...options });
  return { ...server, pull };
}

function expectWhole(folder: string) {
  for (const path of needed) expect(readFileSync(join(folder, path))).toEqual(Buffer.from(sentenceModel.files[path]));
  expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).includes('.part'))).toEqual([]);
}

test('a sentence model is downloaded with the needed files only, commit and license, and is then found by name', async () => {
  const { pull, requests } = await hub();
  const events: WorkEvent[] = [];
  expect(await pulledModelFolder('all-MiniLM-L6-v2')).toBeUndefined();
  const pulled = await pull(undefined, { onEvent: (event) => events.push(event) });
  expect(pulled).toMatchObject({ repository: 'sentence-transformers/all-MiniLM-L6-v2', commit, license: 'apache-2.0' });
  expect(pulled.folder).toBe(join(cache, 'rarefy', 'models', 'all-MiniLM-L6-v2'));
  expect(pulled.files.map(({ path }) => path).sort()).toEqual([...needed].sort());
  expectWhole(pulled.folder);
  const total = needed.reduce((sum, path) => sum + Buffer.from(sentenceModel.files[path]).length, 0);
  expect(events[0]).toEqual({ type: 'work-start', task: 'download', total });
  expect(events.at(-1)).toMatchObject({ type: 'work-end', done: total });
  expect(await pulledModelFolder('all-MiniLM-L6-v2')).toBe(pulled.folder);
  expect(await pulledModels()).toEqual([pulled]);
  const asked = requests.filter(({ url }) => url.includes('/resolve/')).length;
  await pull();
  expect(requests.filter(({ url }) => url.includes('/resolve/'))).toHaveLength(asked);
});

test('a language model is downloaded with its shards; the error for a model without weights lists its files', async () => {
  const { pull } = await hub();
  const { files, folder } = await pull('some/language-model');
  expect(files).toHaveLength(5);
  expect(folder).toMatch(/some--language-model$/);
  await expect(pull('some/empty')).rejects.toThrow('some/empty has no model.safetensors; it has tf_model.bin');
  await expect(pull(undefined, { onnxFile: 'onnx/model_O4.onnx' })).rejects.toThrow(
    'it has onnx/model.onnx, onnx/model_q',
  );
  await expect(pull('some/absent')).rejects.toThrow(/answered 404 for some\/absent; check its name and the revision$/);
});

test('an interrupted download continues, in one call and over several', async () => {
  const place = 100_000;
  const breaking: HubFault = (request, response, earlier) => {
    if (!request.url!.includes('/cdn/') || earlier > 2) return false;
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': weights.length - start,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${weights.length - 1}/${weights.length}` } : {}),
    });
    response.write(weights.subarray(start, start + place), () => setTimeout(() => response.socket?.destroy(), 20));
    return true;
  };
  const { pull, requests } = await hub(breaking);
  expectWhole((await pull()).folder);
  const ranges = requests.filter(({ url }) => url.includes('/cdn/')).map(({ range }) => range);
  expect(ranges).toHaveLength(4);
  expect(ranges[0]).toBeUndefined();
  expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
});

test('an abort keeps the received bytes, and the next call requests only the rest', async () => {
  const controller = new AbortController();
  const part = join(cache, 'rarefy', 'models', 'all-MiniLM-L6-v2', 'onnx', '.model.onnx.part');
  const slow: HubFault = (request, response, earlier) => {
    if (!request.url!.includes('/cdn/') || earlier > 0) return false;
    response.writeHead(200, { 'content-length': weights.length }).write(weights.subarray(0, 65_536));
    const timer = setInterval(() => {
      if (statSync(part).size < 65_536) return;
      clearInterval(timer);
      controller.abort(new Error('enough'));
    }, 5);
    return true;
  };
  const { pull, requests } = await hub(slow);
  await expect(pull(undefined, { signal: controller.signal })).rejects.toThrow('enough');
  expect(await pulledModels()).toEqual([]);
  expectWhole((await pull()).folder);
  expect(requests.at(-1)).toBeDefined();
  expect(requests.filter(({ url }) => url.includes('/cdn/')).at(-1)!.range).toBe('bytes=65536-');
});

test('servers that ignore ranges, refuse one, or are busy', async () => {
  const folder = join(cache, 'rarefy', 'models', 'all-MiniLM-L6-v2', 'onnx');
  const faults: Record<string, HubFault> = {
    'ignores ranges': (request, response) => {
      if (!request.url!.includes('/cdn/')) return false;
      sendRange(response, weights, undefined);
      return true;
    },
    'refuses ranges': (request, response) => {
      if (!request.url!.includes('/cdn/') || request.headers.range === undefined) return false;
      response.writeHead(416).end();
      return true;
    },
    'is busy': (_, response, earlier) => {
      if (earlier > 0) return false;
      response.writeHead(earlier % 2 ? 503 : 429, { 'retry-after': '0' }).end();
      return true;
    },
  };
  for (const fault of Object.values(faults)) {
    const { pull } = await hub(fault);
    const controller = new AbortController();
    await pull('some/language-model', { signal: controller.signal });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '.model.onnx.part'), weights.subarray(0, 1000));
    expectWhole((await pull()).folder);
    rmSync(join(folder, '..'), { recursive: true });
  }
});

test('wrong bytes are requested once more and then rejected; no model appears', async () => {
  const wrong = Buffer.from(weights);
  wrong[77]! ^= 1;
  const serving = (times: number): HubFault => {
    return (request, response, earlier) => {
      if (!request.url!.includes('/cdn/') || earlier >= times) return false;
      sendRange(response, wrong, request.headers.range);
      return true;
    };
  };
  expectWhole((await (await hub(serving(1))).pull()).folder);
  rmSync(join(cache, 'rarefy'), { recursive: true });
  await expect((await hub(serving(2))).pull()).rejects.toBeInstanceOf(CorruptFileError);
  expect(await pulledModels()).toEqual([]);
  const long: HubFault = (request, response) => {
    if (!request.url!.includes('/cdn/')) return false;
    response.end(Buffer.concat([weights, weights]));
    return true;
  };
  await expect((await hub(long)).pull()).rejects.toThrow('sent more than the 320000 bytes of onnx/model.onnx');
});

test('unsafe names, other servers and invalid answers are rejected', async () => {
  const tree = (answer: (response: Parameters<HubFault>[1]) => void): HubFault => {
    return (request, response) => {
      if (!request.url!.includes('/tree/')) return false;
      response.setHeader('content-type', 'application/json');
      answer(response);
      return true;
    };
  };
  for (const path of ['../../evil.json', '/etc/passwd', 'a\\b', 'C:x', 'a\0b', `${'x'.repeat(300)}.json`]) {
    const { pull } = await hub(
      tree((response) => response.end(JSON.stringify([{ type: 'file', path, size: 1, oid: 'x' }]))),
    );
    await expect(pull()).rejects.toBeInstanceOf(CorruptFileError);
  }
  const elsewhere = await hub(
    tree((response) => response.setHeader('link', '<http://127.0.0.1:9/x>; rel="next"').end('[]')),
  );
  await expect(elsewhere.pull()).rejects.toThrow('refers to another server, http://127.0.0.1:9/x');
  for (const body of ['<html>', '7', 'null']) {
    await expect((await hub(tree((response) => response.end(body)))).pull()).rejects.toBeInstanceOf(InputError);
  }
  expect(readdirSync(cache)).toEqual([]);
});

test('the token is sent only to the endpoint and shown nowhere', async () => {
  const token = 'hf_secretsecretsecret';
  const messages: string[] = [];
  const { pull, requests } = await hub((request, response) => {
    if (!request.url!.includes('/resolve/')) return false;
    response.writeHead(403).end(request.headers.authorization);
    return true;
  });
  const onEvent = (event: WorkEvent) => messages.push(JSON.stringify(event));
  const error = await pull(undefined, { token, onEvent }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InputError);
  messages.push(inspect(error, { depth: 10 }));
  expect(messages.join()).not.toContain('secret');
  expect(requests.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true);
  for (const endpoint of ['http://user:pass@h/', 'ftp://h', 'h', 'http://h/?token=x']) {
    await expect(pull(undefined, { endpoint })).rejects.toBeInstanceOf(InvalidArgumentError);
  }
  const broken = pull(undefined, { token: 'hf_secret\nsecret', onEvent });
  await expect(broken).rejects.toBeInstanceOf(InvalidArgumentError);
  await expect(broken).rejects.not.toThrow('secret');
});

test('tokens of any hub are accepted', async () => {
  const { pull, requests } = await hub();
  expectWhole((await pull(undefined, { token: 'glpat-0123' })).folder);
  expect(requests.every(({ authorization }) => authorization === 'Bearer glpat-0123')).toBe(true);
});

test('an interrupted pull of another commit leaves no model of mixed commits', async () => {
  const first = await hub();
  const { folder } = await first.pull();
  const stopping = new AbortController();
  const other = await startHub(
    {
      'models/sentence-transformers/all-MiniLM-L6-v2': {
        ...{ ...sentenceModel, commit: 'fedcba9876543210fedcba9876543210fedcba98' },
        files: { ...sentenceModel.files, 'onnx/model.onnx': 'other weights', 'config.json': '{"a":2}' },
      },
    },
    (request) => {
      if (request.url!.includes('config.json')) stopping.abort(new Error('enough'));
      return false;
    },
  );
  stops.push(other.stop);
  await expect(first.pull(undefined, { endpoint: other.endpoint, signal: stopping.signal })).rejects.toThrow('enough');
  expect(readFileSync(join(folder, 'onnx', 'model.onnx'), 'utf8')).toBe('other weights');
  expect(await pulledModels()).toEqual([]);
  expect(readdirSync(folder)).not.toContain('modules.json');
  await first.pull();
  for (const path of needed) expect(readFileSync(join(folder, path))).toEqual(Buffer.from(sentenceModel.files[path]));
  expect(await pulledModelFolder('all-MiniLM-L6-v2')).toBe(folder);
});

test('invalid names are rejected without a request; a folder with another manifest is not a model', async () => {
  const { pull, requests } = await hub();
  for (const name of ['../x', 'sentence-transformers/..', 'a/b/c', 'a/', '/etc', 'a b/c', '']) {
    await expect(pull(name)).rejects.toThrow(/is not the name of a repository; expected owner\/name$/);
  }
  expect(requests).toEqual([]);
  for (const [index, text] of [
    '',
    'null',
    '[]',
    '{"repository":"a/b"}',
    '{"repository":"a/b","files":[null]}',
  ].entries()) {
    const folder = join(cache, 'rarefy', 'models', `model-${index}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'rarefy-model.json'), text);
  }
  expect(await pulledModels()).toEqual([]);
});

test('two processes do not download the same file', async () => {
  const { pull } = await hub();
  const folder = (await pull()).folder;
  rmSync(join(folder, 'config.json'));
  const lock = await lockFile(join(folder, '.config.json.part.lock'));
  await expect(pull()).rejects.toBeInstanceOf(LockedError);
  await lock.release();
  expectWhole((await pull()).folder);
});
