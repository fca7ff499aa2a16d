import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { CorruptFileError, InputError } from '@rarefy/core';
import { memorySource } from '@rarefy/io';
import { expect, test } from 'vitest';
import { watchAllocations } from '../../../../../tests/support/watch-allocations.js';
import { type ZipFile, zipArchive } from '../zip/write-zip.js';
import { opcodeName } from './opcodes.js';
import { pickleEmbeddings } from './pickle-embeddings.js';
import { openPtEmbeddings } from './pt-embeddings.js';
import { unpickle } from './unpickle.js';

const canary = join(tmpdir(), `rarefy-canary-${process.pid}`);
const bytes = (...parts: (string | number | Uint8Array)[]) =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'number' ? Buffer.from([part]) : typeof part === 'string' ? Buffer.from(part, 'latin1') : part,
    ),
  );
const text = (value: string) => bytes('X', Buffer.from(Uint32Array.of(value.length).buffer), value);
const shortText = (value: string) => bytes(0x8c, value.length, value);

/** What a pickle might call to do harm, or to build a way to it: the corpus of picklescan, fickling and their bypasses. */
const callables: readonly [module: string, name: string][] = [
  ['os', 'system'],
  ['posix', 'system'],
  ['nt', 'system'],
  ['os', 'popen'],
  ['os', 'execv'],
  ['os', 'remove'],
  ['subprocess', 'Popen'],
  ['subprocess', 'check_output'],
  ['builtins', 'eval'],
  ['builtins', 'exec'],
  ['builtins', 'compile'],
  ['builtins', 'getattr'],
  ['builtins', '__import__'],
  ['builtins', 'open'],
  ['__builtin__', 'eval'],
  ['importlib', 'import_module'],
  ['runpy', '_run_code'],
  ['pty', 'spawn'],
  ['webbrowser', 'open'],
  ['ctypes', 'CDLL'],
  ['socket', 'create_connection'],
  ['urllib.request', 'urlopen'],
  ['requests.api', 'get'],
  ['shutil', 'rmtree'],
  ['pickle', 'loads'],
  ['_pickle', 'loads'],
  ['marshal', 'loads'],
  ['types', 'FunctionType'],
  ['types', 'CodeType'],
  ['operator', 'attrgetter'],
  ['operator', 'methodcaller'],
  ['functools', 'partial'],
  ['functools', 'reduce'],
  ['itertools', 'starmap'],
  ['timeit', 'timeit'],
  ['bdb', 'Bdb.run'],
  ['pdb', 'run'],
  ['code', 'InteractiveInterpreter.runcode'],
  ['cProfile', 'run'],
  ['doctest', 'debug_script'],
  ['asyncio.unix_events', '_UnixSubprocessTransport._start'],
  ['lib2to3.pgen2.pgen', 'ParserGenerator.make_label'],
  ['idlelib.pyshell', 'ModifiedInterpreter.runcode'],
  ['pip', 'main'],
  ['pydoc', 'pipepager'],
  ['distutils.file_util', 'write_file'],
  ['copyreg', '_reconstructor'],
  ['copyreg', 'add_extension'],
  ['numpy', 'load'],
  ['numpy.testing._private.utils', 'runstring'],
  ['torch', 'load'],
  ['torch.hub', 'load'],
  ['torch.jit', 'load'],
  ['torch.serialization', 'load'],
  ['torch._utils', '_rebuild_tensor_v3'],
  ['torch._utils', '_rebuild_parameter'],
  ['torch.storage', '_load_from_bytes'],
  ['torch.utils.bottleneck.__main__', 'run_cprofile'],
  ['torch._dynamo.guards', 'GuardBuilder.get'],
  ['torch.fx.graph_module', 'reduce_graph_module'],
  ['collections', 'OrderedDict.__init__'],
  ['collections', 'defaultdict'],
  ['torch', 'FloatStorage2'],
  ['torch', 'Float'],
];

const command = text(`touch ${canary}`);
const args = bytes(command, 0x85); // TUPLE1

interface Attack {
  readonly title: string;
  readonly pickle: Uint8Array;
  /** The first opcode that no embedding file needs, and its place. */
  readonly opcode: string;
  readonly at: number;
}

const proto = bytes(0x80, 2);
const attack = (
  title: string,
  before: Uint8Array,
  opcode: number,
  ...after: (string | number | Uint8Array)[]
): Attack => ({
  title,
  pickle: bytes(before, opcode, ...after),
  opcode: opcodeName(opcode),
  at: before.length,
});

/** Ways to make Python call it. */
const techniques: ((module: string, name: string) => Attack)[] = [
  (m, n) => attack('GLOBAL REDUCE', proto, 0x63, `${m}\n${n}\n`, args, 'R.'),
  (m, n) => attack('GLOBAL without PROTO', bytes(), 0x63, `${m}\n${n}\n(`, command, 'tR.'),
  (m, n) => attack('GLOBAL as a value of ids', bytes(proto, '}', text('ids')), 0x63, `${m}\n${n}\n`, args, 'Rs.'),
  (m, n) =>
    attack(
      'GLOBAL through the memo',
      bytes(proto, text(n), 'q', 0, '0'.slice(1)),
      0x63,
      `${m}\n${n}\nq`,
      1,
      'h',
      1,
      args,
      'R.',
    ),
  (m, n) => attack('STACK_GLOBAL', bytes(proto, text(m), text(n)), 0x93, args, 'R.'),
  (m, n) =>
    attack(
      'STACK_GLOBAL from the memo',
      bytes(proto, text(m), 'q', 0, text(n), 'q', 1, 'h', 0, 'h', 1),
      0x93,
      args,
      'R.',
    ),
  (m, n) => attack('SHORT_BINUNICODE STACK_GLOBAL', proto, 0x8c, m.length, m, shortText(n), 0x93, args, 'R.'),
  (m, n) =>
    attack('STACK_GLOBAL of a tuple', bytes(proto, text(m), text(n), 0x86, 'q', 0, text(m), text(n)), 0x93, args, 'R.'),
  (m, n) => attack('INST', bytes(proto, '(', command), 0x69, `${m}\n${n}\n.`),
  (m, n) => attack('OBJ', bytes(proto, '('), 0x63, `${m}\n${n}\n`, command, 'o.'),
  (m, n) => attack('OBJ of a string', bytes(proto, '(', text(`${m}.${n}`), command), 0x6f, '.'),
  (m, n) => attack('NEWOBJ', proto, 0x63, `${m}\n${n}\n`, args, 0x81, '.'),
  (m, n) => attack('NEWOBJ of a string', bytes(proto, text(`${m}.${n}`), args), 0x81, '.'),
  (m, n) => attack('NEWOBJ_EX', bytes(proto, text(`${m}.${n}`), args, '}'), 0x92, '.'),
  (m, n) => attack('BUILD', bytes(proto, '}', text('__setstate__'), text(`${m}.${n}`), 's}'), 0x62, '.'),
  (m, n) =>
    attack(
      'BUILD of an OrderedDict',
      bytes(proto, 'ccollections\nOrderedDict\n)R}', text('__class__'), text(`${m}.${n}`), 's'),
      0x62,
      '.',
    ),
  (m, n) => attack('REDUCE of a text', bytes(proto, text(`${m}.${n}`), args), 0x52, '.'),
  (m, n) =>
    attack('REDUCE of a type of storage', bytes(proto, 'ctorch\nFloatStorage\n', text(`${m}.${n}`), 0x85), 0x52, '.'),
  (m, n) =>
    attack(
      'OrderedDict with arguments',
      bytes(proto, 'ccollections\nOrderedDict\n', text(`${m}.${n}`), 0x85),
      0x52,
      '.',
    ),
  (m, n) => attack('PERSID', proto, 0x50, `${m}.${n}\n.`),
  (m, n) => attack('protocol 0', bytes('('), 0x64, `S'ids'\nc${m}\n${n}\n.`),
  (m, n) => attack('FRAME', proto, 0x95, Buffer.alloc(8, 1), `c${m}\n${n}\n`, args, 'R.'),
];

/** What names nothing: extensions, sets, buffers, and opcodes that only other protocols have. */
const nameless: Attack[] = [
  0x82, 0x83, 0x84, 0x30, 0x31, 0x32, 0x42, 0x43, 0x46, 0x49, 0x4c, 0x53, 0x54, 0x55, 0x56, 0x67, 0x6c, 0x70, 0x8b,
  0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x94, 0x96, 0x97, 0x98, 0x00, 0xff,
].map((code) => attack('alone', bytes(proto, ']'), code, '1234567890'));

async function archiveOf(pickle: Uint8Array, extra: readonly ZipFile[] = []): Promise<Uint8Array> {
  const files = [{ name: 'x/data.pkl', bytes: pickle.length, chunks: [pickle] }, ...extra];
  const parts: Uint8Array[] = [];
  for await (const part of zipArchive(files)) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
const version = Buffer.from('80024de9032e', 'hex');
const machine = bytes(proto, '}', text('little_endian'), 0x88, 's.');

const attacks = [...callables.flatMap(([module, name]) => techniques.map((make) => make(module, name))), ...nameless];

test(`${attacks.length} hostile pickles, in a zip archive and at each place of an old file: refused naming the opcode and its byte`, async () => {
  expect(attacks.length).toBeGreaterThan(1000);
  const watch = watchAllocations();
  try {
    for (const [index, { title, pickle, opcode, at }] of attacks.entries()) {
      const before = index % 4; // of the pickles of an old file
      const prefix = bytes(...[magic, version, machine].slice(0, before));
      const files: [Uint8Array, number][] = [
        [await archiveOf(pickle), at],
        [bytes(prefix, pickle), at + prefix.length],
      ];
      for (const [file, place] of files) {
        watch.largest();
        const error: unknown = await openPtEmbeddings(memorySource(file, 'x.pt')).catch((thrown) => thrown);
        expect(InputError.isInstance(error), `${title}: ${error}`).toBe(true);
        expect(String(error), title).toContain(`opcode ${opcode} at byte ${place} `);
        expect(watch.largest()).toBeLessThanOrEqual(2 * file.length + 128);
      }
    }
  } finally {
    watch.stop();
  }
  expect(existsSync(canary)).toBe(false);
});

test('a name is shown truncated and without line breaks', () => {
  expect(() => unpickle(bytes(proto, 'cos\nsystem\n'), 0, 'x.pt')).toThrow(
    'x.pt: opcode GLOBAL at byte 2 requests os.system, which is not needed by an embedding file. No code was run and nothing was read',
  );
});

const tensor = (...storage: (string | number | Uint8Array)[]) =>
  bytes(proto, '}', text('emb'), 'ctorch._utils\n_rebuild_tensor_v2\n((', ...storage);
const storage = (key: string, length: number) =>
  bytes(
    text('storage'),
    'ctorch\nFloatStorage\n',
    text(key),
    text('cpu'),
    'J',
    Buffer.from(Int32Array.of(length).buffer),
    'tQ',
  );
const view = (offset: number, shape: readonly number[], strides: readonly number[]) => {
  const integer = (value: number) => bytes('J', Buffer.from(Int32Array.of(value).buffer));
  return bytes(
    integer(offset),
    '(',
    ...shape.map(integer),
    't(',
    ...strides.map(integer),
    't',
    0x89,
    'ccollections\nOrderedDict\n)RtRs.',
  );
};

test.each<[string, Uint8Array, string]>([
  ['an end within', bytes(proto, ']'), 'does not end with its pickle'],
  ['bytes after the end', bytes(proto, '].x'), 'does not end with its pickle'],
  ['an empty stack', bytes(proto, '.'), 'opcode STOP at byte 2 takes from an empty stack'],
  ['a stack that is left full', bytes(proto, ']].'), 'leaves items on the stack'],
  ['a mark that is left open', bytes(proto, '(].'), 'opcode STOP at byte 4 leaves items on the stack'],
  [
    'taking what lies below a mark',
    bytes(proto, text('a'), '(', 0x85, '.'),
    'opcode TUPLE1 at byte 9 takes from an empty stack',
  ],
  ['no mark', bytes(proto, ']e.'), 'opcode APPENDS at byte 3 needs a MARK'],
  ['64 marks and one', bytes(proto, '('.repeat(65)), 'is nested deeper than 64'],
  [
    'a memo out of order',
    bytes(proto, ']r', Buffer.from('ffffff7f', 'hex'), '.'),
    'sets memo entry 2147483647 after 0',
  ],
  ['a memo without entries', bytes(proto, 'h', 3), 'requests entry 3 of a memo of 0'],
  [
    'a text longer than the file',
    bytes(proto, 'X', Buffer.from('ffffffff', 'hex'), 'abc'),
    'does not end with its pickle',
  ],
  [
    'a text that is not UTF-8',
    bytes(proto, 'X', Buffer.from('02000000c328', 'hex'), '.'),
    'has a string that is not UTF-8',
  ],
  ['an integer of 255 bytes', bytes(proto, 0x8a, 255, 'x'.repeat(255)), 'has an integer of 255 bytes'],
  ['protocol 5', bytes(0x80, 5), 'has protocol 5; only 2 is supported'],
  ['a second protocol', bytes(proto, proto), 'is not at the start of the pickle'],
  ['appending to a text', bytes(proto, text('a'), text('b'), 'a.'), 'needs a list, got "a"'],
  ['a key without a value', bytes(proto, '}(', text('a'), 'u.'), 'sets a key without a value'],
  ['a list for a key', bytes(proto, '}]]s.'), 'has a list as a key'],
  ['the same key twice', bytes(proto, '}', text('a'), 'Ns', text('a'), 'Ns.'), 'sets the key "a" twice'],
  ['a name without an end', bytes(proto, 'c', 'x'.repeat(500)), 'opcode GLOBAL at byte 2 has no name'],
  ['a million lists', bytes(proto, ']'.repeat(2 ** 18)), 'creates more than 131072 lists'],
  ['a stack without end', bytes(proto, 'N'.repeat(2 ** 21)), 'puts more than 1048576 items on the stack'],
  ['a persistent id of text', bytes(proto, text('0'), 'Q.'), 'has "0" as a persistent id'],
  [
    'a storage with a path for a key',
    tensor(storage('../../x', 4), view(0, [2, 2], [2, 1])),
    'has "../../x" as the key of a storage',
  ],
  ['a storage of negative length', tensor(storage('0', -4)), 'has -4 as the length of a storage'],
  [
    'a storage that is not there',
    tensor(storage('7', 4), view(0, [2, 2], [2, 1])),
    'no entry for the 4 F32 of storage 7',
  ],
  [
    'a storage of another size',
    tensor(storage('0', 5), view(0, [2, 2], [2, 1])),
    '16 bytes for the 5 F32 of storage 0',
  ],
  [
    'a storage of a terabyte',
    tensor(storage('0', 2 ** 31 - 1), view(0, [2, 2], [2, 1])),
    '16 bytes for the 2147483647 F32',
  ],
  [
    'an expanded tensor',
    tensor(storage('0', 4), view(0, [1000, 1000], [0, 0])),
    'a tensor of 1000000 elements from 4; save it with .contiguous()',
  ],
  ['an offset past the end', tensor(storage('0', 4), view(1, [2, 2], [2, 1])), 'reaches element 4 of 4'],
  ['a negative offset', tensor(storage('0', 4), view(-1, [2, 2], [2, 1])), 'without a shape and strides'],
  ['a negative stride', tensor(storage('0', 4), view(3, [2, 2], [-2, 1])), 'without a shape and strides'],
  [
    'an overflowing shape',
    tensor(storage('0', 4), view(0, Array(8).fill(2 ** 31 - 1), Array(8).fill(1))),
    'reaches element',
  ],
  [
    'nine dimensions',
    tensor(storage('0', 4), view(0, Array(9).fill(1), Array(9).fill(1))),
    'without a shape and strides',
  ],
  ['no embeddings', bytes(proto, '}.'), 'has no embeddings'],
  ['a list', bytes(proto, '].'), 'has no embeddings'],
  ['a list that holds itself', bytes(proto, ']q', 0, 'h', 0, 'a.'), 'has no embeddings'],
])('refused: %s', async (_, pickle, message) => {
  const withIds =
    pickle.at(-1) === 0x2e && pickle.includes(0x7d)
      ? bytes(pickle.subarray(0, -1), text('ids'), '](', text('a'), text('b'), 'es.')
      : pickle;
  const data = { name: 'x/data/0', bytes: 16, chunks: [new Uint8Array(16)] };
  for (const file of [pickle, withIds]) {
    const error: unknown = await openPtEmbeddings(memorySource(await archiveOf(file, [data]), 'x.pt')).catch(
      (thrown) => thrown,
    );
    expect(CorruptFileError.isInstance(error) || InputError.isInstance(error), String(error)).toBe(true);
    if (file === withIds) expect(String(error)).toContain(message);
  }
});

/** A sound archive to spoil. */
const sound = async (more: readonly ZipFile[] = []) => {
  const pickle = pickleEmbeddings({
    ids: ['a', 'b'],
    integerIds: false,
    metadata: {},
    dtype: 'float32',
    rows: 2,
    cols: 2,
  });
  return Buffer.from(await archiveOf(pickle, [{ name: 'x/data/0', bytes: 16, chunks: [new Uint8Array(16)] }, ...more]));
};
const open = (file: Uint8Array) => openPtEmbeddings(memorySource(file, 'x.pt'));

test.each(['../x', '/etc/passwd', 'x/../../y', 'C:\\x', 'x\\y', 'x\0y', 'x'.repeat(300), '', 'x//y', 'con', 'x:y'])(
  'an archive with the entry %j is refused whole',
  async (name) => {
    const archive = await sound([{ name, bytes: 1, chunks: [Buffer.from('!')] }]);
    await expect(open(archive)).rejects.toThrow(CorruptFileError);
    await expect(open(archive)).rejects.toThrow('that is not allowed');
  },
);

test('inconsistent archives are rejected', async () => {
  const archive = await sound();
  expect((await open(archive)).ids).toEqual(['a', 'b']);
  const spoiled = (change: (bytes: Buffer, entry: number) => void) => {
    const copy = Buffer.from(archive);
    change(copy, copy.indexOf('PK\x01\x02'));
    return open(copy);
  };
  await expect(spoiled((zip, entry) => zip.writeUInt32LE(2 ** 31, entry + 24))).rejects.toThrow(
    'is stored, but its sizes differ',
  );
  await expect(
    spoiled((zip, entry) => {
      zip.writeUInt32LE(2 ** 31, entry + 20);
      zip.writeUInt32LE(2 ** 31, entry + 24);
    }),
  ).rejects.toThrow('reaches into the central directory');
  await expect(spoiled((zip, entry) => zip.writeUInt16LE(1, entry + 8))).rejects.toThrow('is encrypted');
  await expect(spoiled((zip, entry) => zip.writeUInt16LE(12, entry + 10))).rejects.toThrow(
    'is compressed with method 12',
  );
  await expect(spoiled((zip, entry) => zip.writeUInt32LE(0xffffffff, entry + 24))).rejects.toThrow(
    'lacks its ZIP64 sizes',
  );
  await expect(spoiled((zip, entry) => zip.writeUInt32LE(64, entry + 42))).rejects.toThrow(CorruptFileError);
  await expect(spoiled((zip) => zip.write('!', zip.indexOf('emb')))).rejects.toThrow(
    'is damaged: its checksum differs',
  );
  await expect(spoiled((zip) => zip.write('y', zip.indexOf('x/data.pkl')))).rejects.toThrow(
    'a local header that differs from the directory',
  );
  await expect(open(archive.subarray(0, -1))).rejects.toThrow('does not end with a central directory');
  await expect(open(Buffer.concat([archive, Buffer.from('x')]))).rejects.toThrow(
    'does not end with a central directory',
  );
  await expect(open(Buffer.concat([Buffer.from('PK'), archive]))).rejects.toThrow(CorruptFileError);
  const twice = await sound([{ name: 'x/data/0', bytes: 16, chunks: [new Uint8Array(16)] }]);
  await expect(open(twice)).rejects.toThrow('has the entry x/data/0 twice');
  const other = await sound([{ name: 'y/data.pkl', bytes: 1, chunks: [Buffer.from('.')] }]);
  await expect(open(other)).rejects.toThrow('has 2 entries data.pkl');
  const big = await sound([{ name: 'x/byteorder', bytes: 3, chunks: [Buffer.from('big')] }]);
  await expect(open(big)).rejects.toThrow('has big-endian numbers');
  const nested = await archiveOf(archive);
  await expect(open(nested)).rejects.toThrow('opcode PERSID at byte 0 is not needed by an embedding file');
});

test('two entries with the same bytes, as in a zip bomb, are rejected', async () => {
  const archive = await sound([{ name: 'x/data/1', bytes: 16, chunks: [new Uint8Array(16)] }]);
  const second = archive.lastIndexOf('PK\x01\x02');
  const first = archive.lastIndexOf('PK\x01\x02', second - 1);
  archive.copy(archive, second + 42, first + 42, first + 46);
  await expect(open(archive)).rejects.toThrow('overlaps the previous one');
});

test('deflated entries are read if they match their sizes, and rejected before decompression if larger than twice the archive', async () => {
  const packed = async (rows: number, data: Uint8Array, said = data.length) => {
    const pickle = pickleEmbeddings({
      ids: ['a', 'b'],
      integerIds: false,
      metadata: {},
      dtype: 'float32',
      rows,
      cols: said / 4 / rows,
    });
    const deflated = deflateRawSync(data);
    const archive = Buffer.from(
      await archiveOf(pickle, [{ name: 'x/data/0', bytes: deflated.length, chunks: [deflated] }]),
    );
    const entry = archive.lastIndexOf('PK\x01\x02');
    archive.writeUInt16LE(8, entry + 10);
    archive.writeUInt32LE(crc32(data), entry + 16);
    archive.writeUInt32LE(said, entry + 24);
    archive.writeUInt16LE(8, archive.readUInt32LE(entry + 42) + 8);
    return archive;
  };
  const numbers = Float32Array.of(1, 2, 3, 4);
  const { values } = await open(await packed(2, new Uint8Array(numbers.buffer)));
  expect((await values.read(0, 2)).data).toEqual(numbers);
  await expect(open(await packed(2, new Uint8Array(4_000_000)))).rejects.toThrow(
    'decompresses to 4000000 bytes, more than twice the archive; store it without compression',
  );
  await expect(open(await packed(2, new Uint8Array(100_000), 16))).rejects.toThrow('cannot be decompressed');
  await expect(open(await packed(2, new Uint8Array(8), 16))).rejects.toThrow('its checksum differs');
});
