import { CorruptFileError, InputError } from '@rarefy/core';
import { argumentBytes, opcodeName, readGlobal, readInteger, readText } from './opcodes.js';
import {
  describe,
  type PickleDictionary,
  type PickleGlobal,
  type PickleList,
  type PickleTuple,
  type PickleValue,
  rebuildTensor,
  toStorage,
} from './pickle-value.js';

const maxMarks = 64; // open at once; torch.save needs 3 for {ids, emb}
const maxStack = 2 ** 20; // Python's pickler moves items into their list in batches of 1,000
const maxContainers = 2 ** 17; // lists, tuples and dictionaries; each needs far more memory than its opcode has bytes

/** Names that GLOBAL may have. REDUCE creates a tensor and a dictionary from the first two; the others are types of storages. */
const allowedGlobals = new Set([
  'torch._utils._rebuild_tensor_v2',
  'collections.OrderedDict',
  ...['Double', 'Float', 'Half', 'BFloat16', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'].map(
    (type) => `torch.${type}Storage`,
  ),
]);

/**
 * Reads one untrusted pickle of protocol 2. Only a fixed list of opcodes is accepted, which create data: no name is imported and
 * nothing is called. Time and memory are proportional to the bytes read, whatever these claim.
 * @param start offset of the pickle in `bytes`
 * @returns its value, and the offset after it; undefined if `bytes` end before the pickle
 * @throws InputError for an opcode or a name outside of the lists, CorruptFileError for anything that no pickler writes; both
 * name the opcode and its offset.
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  name: string,
): { readonly value: PickleValue; readonly end: number } | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: PickleValue[] = [];
  const marks: number[] = [];
  const memo: PickleValue[] = [];
  let containers = 0;
  let at = start; // of the current opcode
  let next = start;
  let code = 0;

  const where = () => `${name}: opcode ${opcodeName(code)} at byte ${at}`;
  const refused = (what: string) =>
    new InputError(
      `${where()} ${what}. No code was run and nothing was read. If the file is yours, save {ids, emb} with strings or integers as ids and a tensor as emb.`,
    );
  const corrupt = (what: string) => new CorruptFileError(`${where()} ${what}. Copy, download or write it again.`);
  const push = (value: PickleValue) => {
    if (stack.push(value) > maxStack) throw corrupt(`puts more than ${maxStack} items on the stack`);
  };
  const pop = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw corrupt('takes from an empty stack');
    return stack.pop()!;
  };
  const popMark = (): PickleValue[] => {
    const mark = marks.pop();
    if (mark === undefined) throw corrupt('needs a MARK, but there is none');
    return stack.splice(mark);
  };
  const top = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw corrupt('needs an item on the stack');
    return stack.at(-1)!;
  };
  const contain = <Container extends PickleValue>(container: Container): Container => {
    if (++containers > maxContainers)
      throw corrupt(`creates more than ${maxContainers} lists, tuples and dictionaries`);
    return container;
  };
  const tuple = (items: readonly PickleValue[]) => push(contain<PickleTuple>({ type: 'tuple', items }));
  const topOf = <Type extends 'list' | 'dictionary'>(type: Type) => {
    const container = top();
    if (typeof container !== 'object' || container?.type !== type)
      throw corrupt(`needs a ${type}, got ${describe(container)}`);
    return container as Type extends 'list' ? PickleList : PickleDictionary;
  };
  const set = (key: PickleValue, value: PickleValue, { entries }: PickleDictionary) => {
    if (typeof key !== 'string' && typeof key !== 'number') throw corrupt(`has ${describe(key)} as a key`);
    if (entries.has(key)) throw corrupt(`sets the key ${describe(key)} twice`);
    entries.set(key, value);
  };
  const remember = (index: number) => {
    if (index > memo.length) throw corrupt(`sets memo entry ${index} after ${memo.length} entries`);
    memo[index] = top();
  };
  const recall = (index: number) => {
    if (index >= memo.length) throw corrupt(`requests entry ${index} of a memo of ${memo.length}`);
    push(memo[index]!);
  };

  while (next < bytes.length) {
    at = next;
    code = bytes[next++]!;
    const length = argumentBytes[code];
    if (length === undefined) throw refused('is not needed by an embedding file');
    if (next + length > bytes.length) return undefined;
    const argument = next;
    next += length;
    switch (code) {
      case 0x80: // PROTO
        if (bytes[argument] !== 2)
          throw refused(`has protocol ${bytes[argument]}; only 2 is supported, the one of torch.save`);
        if (at !== start) throw corrupt('is not at the start of the pickle');
        break;
      case 0x2e: {
        // STOP
        const value = pop();
        if (stack.length > 0 || marks.length > 0) throw corrupt('leaves items on the stack');
        return { value, end: next };
      }
      case 0x28: // MARK
        if (marks.push(stack.length) > maxMarks) throw corrupt(`is nested deeper than ${maxMarks}`);
        break;
      case 0x7d: // EMPTY_DICT
        push(contain({ type: 'dictionary', entries: new Map() }));
        break;
      case 0x5d: // EMPTY_LIST
        push(contain({ type: 'list', items: [] }));
        break;
      case 0x29: // EMPTY_TUPLE
        tuple([]);
        break;
      case 0x74: // TUPLE
        tuple(popMark());
        break;
      case 0x85: // TUPLE1
        tuple([pop()]);
        break;
      case 0x86: // TUPLE2
        tuple([pop(), pop()].reverse());
        break;
      case 0x87: // TUPLE3
        tuple([pop(), pop(), pop()].reverse());
        break;
      case 0x4e: // NONE
        push(null);
        break;
      case 0x88: // NEWTRUE
        push(true);
        break;
      case 0x89: // NEWFALSE
        push(false);
        break;
      case 0x4b: // BININT1
        push(bytes[argument]!);
        break;
      case 0x4d: // BININT2
        push(buffer.readUInt16LE(argument));
        break;
      case 0x4a: // BININT
        push(buffer.readInt32LE(argument));
        break;
      case 0x47: // BINFLOAT
        push(buffer.readDoubleBE(argument));
        break;
      case 0x8a: {
        // LONG1
        const size = bytes[argument]!;
        if (next + size > bytes.length) return undefined;
        if (size > 16) throw corrupt(`has an integer of ${size} bytes`);
        push(readInteger(bytes.subarray(next, next + size)));
        next += size;
        break;
      }
      case 0x58: {
        // BINUNICODE
        const size = buffer.readUInt32LE(argument);
        if (next + size > bytes.length) return undefined;
        const text = readText(buffer.subarray(next, next + size));
        if (text === undefined) throw corrupt('has a string that is not UTF-8');
        push(text);
        next += size;
        break;
      }
      case 0x71: // BINPUT
        remember(bytes[argument]!);
        break;
      case 0x72: // LONG_BINPUT
        remember(buffer.readUInt32LE(argument));
        break;
      case 0x68: // BINGET
        recall(bytes[argument]!);
        break;
      case 0x6a: // LONG_BINGET
        recall(buffer.readUInt32LE(argument));
        break;
      case 0x61: {
        // APPEND
        const item = pop();
        topOf('list').items.push(item);
        break;
      }
      case 0x65: {
        // APPENDS
        const items = popMark();
        const list = topOf('list').items;
        for (const item of items) list.push(item);
        break;
      }
      case 0x73: {
        // SETITEM
        const value = pop();
        const key = pop();
        set(key, value, topOf('dictionary'));
        break;
      }
      case 0x75: {
        // SETITEMS
        const items = popMark();
        if (items.length % 2 !== 0) throw corrupt('sets a key without a value');
        const dictionary = topOf('dictionary');
        for (let index = 0; index < items.length; index += 2) set(items[index]!, items[index + 1]!, dictionary);
        break;
      }
      case 0x63: {
        // GLOBAL
        const global = readGlobal(buffer, next);
        if (global === 'truncated') return undefined;
        if (global === 'invalid') throw corrupt('has no name');
        if (!allowedGlobals.has(global.name))
          throw refused(
            `requests ${JSON.stringify(global.name).slice(1, -1)}, which is not needed by an embedding file`,
          );
        push({ type: 'global', name: global.name });
        next = global.end;
        break;
      }
      case 0x51: {
        // BINPERSID
        const storage = toStorage(pop());
        if (typeof storage === 'string') throw corrupt(storage);
        push(storage);
        break;
      }
      case 0x52: {
        // REDUCE
        const given = pop();
        const called = pop();
        if (typeof called !== 'object' || called?.type !== 'global') throw refused(`calls ${describe(called)}`);
        if (typeof given !== 'object' || given?.type !== 'tuple')
          throw corrupt(`passes ${describe(given)} as arguments`);
        push(reduce(called, given));
        break;
      }
    }
  }
  return undefined;

  function reduce(called: PickleGlobal, { items }: PickleTuple): PickleValue {
    if (called.name === 'collections.OrderedDict') {
      if (items.length > 0) throw refused('passes arguments to OrderedDict');
      return contain({ type: 'dictionary', entries: new Map() });
    }
    if (called.name !== 'torch._utils._rebuild_tensor_v2') throw refused(`calls ${called.name}`);
    const tensor = rebuildTensor(items);
    if (typeof tensor === 'string') throw corrupt(tensor);
    return tensor;
  }
}
