// Messages between page and Python: JSON with arrays, the twin of studio/envelope.py.

const KINDS = {
  float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int32: Int32Array, uint32: Uint32Array,
};
const padded = (/** @type {number} */ size) => Math.ceil(size / 8) * 8;

/**
 * @param {unknown} value   With arrays as {shape, data}.
 * @returns {Uint8Array}
 */
export function pack(value) {
  /** @type {import("./types.js").NDArray[]} */
  const arrays = [];
  /** @type {(value: any) => any} */
  const told = (each) => {
    if (typeof each === "number" && !Number.isFinite(each))
      return { $number: Number.isNaN(each) ? "nan" : each > 0 ? "inf" : "-inf" };
    if (each === null || typeof each !== "object") return each;
    if (Array.isArray(each)) return each.map(told);
    if (ArrayBuffer.isView(each.data)) return { $array: arrays.push(each) - 1 };
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, told(inner)]));
  };
  const said = told(value);
  let offset = 0;
  const listed = arrays.map(({ shape, data }) => {
    const dtype = Object.entries(KINDS).find(([, kind]) => data instanceof kind)?.[0];
    const entry = [dtype, shape, offset];
    offset += padded(data.byteLength);
    return entry;
  });
  const header = new TextEncoder().encode(JSON.stringify({ value: said, arrays: listed }));
  const first = padded(4 + header.length), message = new Uint8Array(first + offset);
  new DataView(message.buffer).setUint32(0, header.length, true);
  message.set(header, 4);
  arrays.forEach(({ data }, k) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    message.set(bytes, first + Number(listed[k][2]));
  });
  return message;
}

/**
 * @param {ArrayBuffer} message
 * @returns {any}
 */
export function unpack(message) {
  const size = new DataView(message).getUint32(0, true), first = padded(4 + size);
  const { value, arrays } = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, size)));
  const found = arrays.map((/** @type {[keyof typeof KINDS, number[], number]} */ [dtype, shape, offset]) => ({
    shape,
    data: new KINDS[dtype](message, first + offset, shape.reduce((a, b) => a * b, 1)),
  }));
  /** @type {(each: any) => any} */
  const revived = (each) => {
    if (each === null || typeof each !== "object") return each;
    if (Array.isArray(each)) return each.map(revived);
    if ("$array" in each) return found[each.$array];
    if ("$number" in each) return { nan: NaN, inf: Infinity, "-inf": -Infinity }[String(each.$number)];
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, revived(inner)]));
  };
  return revived(value);
}
