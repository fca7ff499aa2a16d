import { CorruptFileError, InputError } from '@rarefy/core';
import { opcodeName } from './opcode-names.js';
import { argumentBytes, readGlobal, readInteger, readText } from './pickle-arguments.js';
import {
  describe,
  type PickleDictionary,
  type PickleGlobal,
  type PickleList,
  type PickleTuple,
  type PickleValue,
} from './pickle-value.js';
import { rebuildTensor, toStorage } from './rebuild-tensor.js';

const maxMarks = 64; // open at once; torch.save opens 3 for {ids, emb}
const maxStack = 2 ** 20; // Python's pickler puts at most 1,000 items on it before they go into a list
const maxContainers = 2 ** 17; // lists, tuples and dictionaries, each far larger in memory than its opcode

/** The names that GLOBAL may give. REDUCE makes a tensor or a dictionary of the first two; the others are types of storages. */
const allowedGlobals = new Set([
  'torch._utils._rebuild_tensor_v2',
  'collections.OrderedDict',
  ...['Double', 'Float', 'Half', 'BFloat16', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'].map(
    (type) => `torch.${type}Storage`,
  ),
]);

/**
 * Reads one pickle of protocol 2 through a closed list of opcodes, which make data alone: no name is imported and nothing is
 * called. Time and memory grow with the bytes read, whatever these say.
 * @param start first byte of the pickle
 * @returns its value, and the position after it; undefined when `bytes` end before it does
 * @throws InputError for an opcode or a name outside the list, CorruptFileError for what no pickler writes; both name the opcode
 * and its position.
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
  let at = start; // the opcode being read
  let next = start;
  let code = 0;

  const where = () => `${name}: opcode ${opcodeName(code)} at byte ${at}`;
  const refused = (what: string) =>
    new InputError(
      `${where()} ${what}. Nothing was run and nothing read; if the file is yours, save {ids, emb} as text or integers and a tensor.`,
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
    if (mark === undefined) throw corrupt('needs a MARK and there is none');
    return stack.splice(mark);
  };
  const top = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw corrupt('needs an item on the stack');
    return stack.at(-1)!;
  };
  const contain = <Container extends PickleValue>(container: Container): Container => {
    if (++containers > maxContainers) throw corrupt(`makes more than ${maxContainers} lists, tuples and dictionaries`);
    return container;
  };
  const tuple = (items: readonly PickleValue[]) => push(contain<PickleTuple>({ type: 'tuple', items }));
  const topOf = <Type extends 'list' | 'dictionary'>(type: Type) => {
    const container = top();
    if (typeof container !== 'object' || container?.type !== type)
      throw corrupt(`needs a ${type} and finds ${describe(container)}`);
    return container as Type extends 'list' ? PickleList : PickleDictionary;
  };
  const set = (key: PickleValue, value: PickleValue, { entries }: PickleDictionary) => {
    if (typeof key !== 'string' && typeof key !== 'number') throw corrupt(`has ${describe(key)} for a key`);
    if (entries.has(key)) throw corrupt(`sets the key ${describe(key)} twice`);
    entries.set(key, value);
  };
  const remember = (index: number) => {
    if (index > memo.length) throw corrupt(`numbers the memo ${index} after ${memo.length} entries`);
    memo[index] = top();
  };
  const recall = (index: number) => {
    if (index >= memo.length) throw corrupt(`asks for entry ${index} of a memo of ${memo.length}`);
    push(memo[index]!);
  };

  while (next < bytes.length) {
    at = next;
    code = bytes[next++]!;
    const length = argumentBytes[code];
    if (length === undefined) throw refused('is none that an embedding file needs');
    if (next + length > bytes.length) return undefined;
    const argument = next;
    next += length;
    switch (code) {
      case 0x80: // PROTO
        if (bytes[argument] !== 2)
          throw refused(`says protocol ${bytes[argument]}, and only 2 is read, torch.save's own`);
        if (at !== start) throw corrupt('stands within the pickle');
        break;
      case 0x2e: {
        // STOP
        const value = pop();
        if (stack.length > 0 || marks.length > 0) throw corrupt('leaves items on the stack');
        return { value, end: next };
      }
      case 0x28: // MARK
        if (marks.push(stack.length) > maxMarks) throw corrupt(`nests deeper than ${maxMarks}`);
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
        if (size > 16) throw corrupt(`holds an integer of ${size} bytes`);
        push(readInteger(bytes.subarray(next, next + size)));
        next += size;
        break;
      }
      case 0x58: {
        // BINUNICODE
        const size = buffer.readUInt32LE(argument);
        if (next + size > bytes.length) return undefined;
        const text = readText(buffer.subarray(next, next + size));
        if (text === undefined) throw corrupt('holds a text that is not UTF-8');
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
        if (global === 'cut off') return undefined;
        if (global === 'none') throw corrupt('has no name');
        if (!allowedGlobals.has(global.name))
          throw refused(`asks for ${JSON.stringify(global.name).slice(1, -1)}, which no embedding file needs`);
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
          throw corrupt(`gives ${describe(given)} for arguments`);
        push(reduce(called, given));
        break;
      }
    }
  }
  return undefined;

  function reduce(called: PickleGlobal, { items }: PickleTuple): PickleValue {
    if (called.name === 'collections.OrderedDict') {
      if (items.length > 0) throw refused('gives arguments to OrderedDict');
      return contain({ type: 'dictionary', entries: new Map() });
    }
    if (called.name !== 'torch._utils._rebuild_tensor_v2') throw refused(`calls ${called.name}`);
    const tensor = rebuildTensor(items);
    if (typeof tensor === 'string') throw corrupt(tensor);
    return tensor;
  }
}
