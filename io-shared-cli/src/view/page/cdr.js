// ROS message definitions, and CDR by them: XCDR version 1, as io-shared-formats writes it.

const NUMBERS = {
  bool: [1, Uint8Array], byte: [1, Uint8Array], char: [1, Uint8Array],
  uint8: [1, Uint8Array], int8: [1, Int8Array],
  uint16: [2, Uint16Array], int16: [2, Int16Array],
  uint32: [4, Uint32Array], int32: [4, Int32Array],
  uint64: [8, BigUint64Array], int64: [8, BigInt64Array],
  float32: [4, Float32Array], float64: [8, Float64Array],
};

/** The types of a definition: the first one is called ''. */
export function parse(text) {
  const types = new Map();
  for (const [at, part] of text.split(/^=+$/m).entries()) {
    const lines = part.split('\n').map((line) => line.replace(/#.*/, '').trim()).filter(Boolean);
    const name = at === 0 ? '' : lines.shift()?.replace(/^MSG:\s*/, '') ?? '';
    types.set(name.replace('/msg/', '/'), lines.map(field).filter(Boolean));
  }
  return types;
}

function field(line) {
  const found = /^([\w/]+)(?:<=\d+)?(\[(?:<=)?(\d*)\])?\s+(\w+)\s*(=)?/.exec(line);
  if (!found || found[5]) return null; // a constant
  const [, type, isArray, count, name] = found;
  const fixed = isArray && !isArray.includes('<=') && count !== '' ? Number(count) : null;
  return { name, type, isArray: Boolean(isArray), count: fixed };
}

/** Reads messages of one type. */
export class Reader {
  constructor(definition) {
    this.types = parse(definition);
  }

  /** The message whose CDR begins at byte `start` of an ArrayBuffer. */
  read(buffer, start) {
    const view = new DataView(buffer);
    if (view.getUint8(start) !== 0 || view.getUint8(start + 1) > 1) {
      throw new Error('this is no plain CDR');
    }
    this.isLittle = view.getUint8(start + 1) === 1;
    Object.assign(this, { view, start: start + 4, at: start + 4 });
    return this.message('');
  }

  message(name) {
    const fields = this.types.get(name) ??
      [...this.types].find(([known]) => known.endsWith(`/${name}`))?.[1];
    if (!fields) throw new Error(`the definition has no ${name}`);
    return Object.fromEntries(fields.map((field) => [field.name, this.value(field)]));
  }

  value({ type, isArray, count }) {
    if (!isArray) return this.one(type);
    const length = count ?? this.u32();
    if (NUMBERS[type]) return this.numbers(type, length);
    if (length > this.view.byteLength) throw new Error('there are more elements than bytes');
    return Array.from({ length }, () => this.one(type));
  }

  align(size) {
    this.at += (size - (this.at - this.start) % size) % size;
  }

  u32() {
    this.align(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, this.isLittle);
  }

  one(type) {
    if (type === 'string' || type === 'wstring') {
      const length = this.u32();
      const bytes = new Uint8Array(this.view.buffer, this.at, Math.max(length - 1, 0));
      this.at += length;
      return new TextDecoder().decode(bytes);
    }
    if (!NUMBERS[type]) return this.message(type);
    const [number] = this.numbers(type, 1);
    return type === 'bool' ? number !== 0 : number;
  }

  numbers(type, length) {
    const [size, Type] = NUMBERS[type];
    if (length > 0) this.align(size);
    const end = this.at + size * length;
    if (end > this.view.byteLength) throw new Error('the message ends too early');
    if (!this.isLittle && size > 1) throw new Error('big-endian numbers are not read');
    const at = this.at;
    this.at = end;
    // A view where the bytes lie, unless they are not aligned there.
    return at % size === 0
      ? new Type(this.view.buffer, at, length)
      : new Type(this.view.buffer.slice(at, end));
  }
}

const DTYPES = {
  '|u1': Uint8Array, '|b1': Uint8Array, '|i1': Int8Array, '<u2': Uint16Array, '<i2': Int16Array,
  '<u4': Uint32Array, '<i4': Int32Array, '<u8': BigUint64Array, '<i8': BigInt64Array,
  '<f4': Float32Array, '<f8': Float64Array,
};

/** The array in bytes that are a `.npy` file, with its `shape`; null if they are none. */
export function npy(bytes) {
  if (bytes.length < 10 || bytes[0] !== 0x93 || String.fromCharCode(...bytes.slice(1, 6)) !== 'NUMPY') {
    return null;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [from, length] = bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = new TextDecoder().decode(bytes.subarray(from, from + length));
  const code = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].split(',').map((n) => n.trim());
  const Type = DTYPES[code];
  if (!Type || !shape) return null;
  const data = bytes.slice(from + length);
  const array = new Type(data.buffer, 0, Math.floor(data.length / Type.BYTES_PER_ELEMENT));
  return Object.assign(array, { shape: shape.filter(Boolean).map(Number) });
}

/** What can be coloured by: the first array of numbers with this length in a message. */
export function labels(message, length) {
  for (const value of Object.values(message)) {
    if (!ArrayBuffer.isView(value)) continue;
    const array = value instanceof Uint8Array ? npy(value) ?? value : value;
    if (array.length === length) return array;
  }
  return null;
}
