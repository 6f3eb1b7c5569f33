// How a value of any shape lies in maps: channels of h rows and w columns.

/**
 * @typedef {{channels: number, h: number, w: number, row: boolean,
 *   unit: (c: number, i: number, j: number) => number[], place: (unit: number[]) => [number, number, number]}} Layout
 */

const times = (/** @type {number[]} */ sizes) => sizes.reduce((a, b) => a * b, 1);

/**
 * A row (F,) has F channels of one number; of (A, B) all is one map; of (C, H, W, ...) the axes after
 * H are the columns.
 * @param {number[]} shape
 * @returns {Layout}
 */
export function laidOut(shape) {
  if (shape.length < 2)
    return { channels: shape[0] ?? 1, h: 1, w: 1, row: true, unit: (c) => (shape.length ? [c] : []), place: ([c = 0]) => [c, 0, 0] };
  const flat = shape.length === 2, inner = flat ? [shape[1]] : shape.slice(2);
  const unit = (/** @type {number} */ c, /** @type {number} */ i, /** @type {number} */ j) => {
    const found = inner.map((size, k) => Math.floor(j / times(inner.slice(k + 1))) % size);
    return flat ? [i, ...found] : [c, i, ...found];
  };
  /** @type {Layout["place"]} */
  const place = (at) => {
    const [c, i, ...rest] = flat ? [0, ...at] : at;
    return [c, i, rest.reduce((j, index, k) => j * inner[k] + index, 0)];
  };
  return { channels: flat ? 1 : shape[0], h: flat ? shape[0] : shape[1], w: times(inner), row: false, unit, place };
}

/** Whether a unit is one of a shape. */
export const isUnit = (/** @type {number[] | null} */ unit, /** @type {number[]} */ shape) =>
  unit !== null && unit.length === shape.length && unit.every((k, axis) => k < shape[axis]);

/** The unit in the middle of a value's first channel: what is shown until one is chosen. */
export const middleUnit = (/** @type {number[]} */ shape) =>
  shape.map((size, axis) => (axis === 0 && shape.length !== 2 ? 0 : Math.floor(size / 2)));

/**
 * Asks for some channels of a value. `numbers(k)` are those of the k-th one that came.
 * @param {import("./types.js").Studio} studio
 * @param {number} value
 * @param {number} first
 * @param {number} count
 * @param {object} [options]
 */
export async function askMaps(studio, value, first, count, options) {
  const { shape } = studio.network.values[value], { h, w } = laidOut(shape);
  const part = shape.length === 2 ? { first: 0, count: shape[0] } : { first, count };
  const { low, high, lows, highs, maps } = await studio.ask("maps", { image: studio.seen?.image, value, ...part }, options);
  const found = shape.length === 2 ? 1 : maps.shape[0];
  const numbers = (/** @type {number} */ k) => maps.data.subarray(k * h * w, (k + 1) * h * w);
  const range = (/** @type {number} */ k) => (shape.length === 2 ? [low, high] : [lows.data[k], highs.data[k]]);
  return { low, high, found, numbers, range };
}

const LINE = 32; // numbers of a row (F,) in one line of its map

/**
 * Asks for one map of a value, to be drawn large; a row (F,) lies in lines of 32 numbers. `cell` is where
 * a unit lies in it, `unit` which unit lies at a cell, or null.
 * @param {import("./types.js").Studio} studio
 * @param {import("./types.js").Value} value
 * @param {number} channel
 */
export async function oneMap(studio, { id, title, shape }, channel) {
  const lay = laidOut(shape), { row, channels } = lay, w = row ? Math.min(LINE, channels) : lay.w;
  const maps = await askMaps(studio, id, row ? 0 : channel, row ? channels : 1);
  const all = Array.from({ length: row ? Math.ceil(channels / w) * w : 0 }, (_, k) => (k < channels ? maps.numbers(k)[0] : 0));
  return {
    numbers: row ? all : maps.numbers(0),
    h: row ? all.length / w : lay.h,
    w,
    name: row || channels === 1 ? title : `${title}[${channel}]`,
    cell: (/** @type {number[]} */ unit) => {
      const [c, i, j] = lay.place(unit);
      return /** @type {[number, number]} */ (row ? [Math.floor(c / w), c % w] : [i, j]);
    },
    unit: (/** @type {number} */ i, /** @type {number} */ j) => {
      if (!row) return lay.unit(channel, i, j);
      return i * w + j < channels ? [i * w + j] : null;
    },
  };
}
