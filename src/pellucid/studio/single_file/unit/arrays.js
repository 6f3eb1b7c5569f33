// Numbers of arrays, row-major, as {shape, data}.

/** @typedef {{shape: number[], data: ArrayLike<number>}} NDArray */
/** @typedef {number[]} Span   [first, step, count]: the cells of a box along one axis. */

/**
 * Returns the number at a place.
 * @param {NDArray} array
 * @param {number[]} place
 */
export function at({ shape, data }, place) {
  return data[place.reduce((flat, k, axis) => flat * shape[axis] + k, 0)];
}

/**
 * Returns the numbers in a box, with `outside` for what the array does not have, and which rows and
 * columns that is: padding; null if there is none.
 * @param {NDArray} array
 * @param {Span[]} spans
 * @param {number} outside
 */
export function gathered({ shape, data }, spans, outside = 0) {
  const counts = spans.map((span) => span[2]), cells = counts.slice(-2).reduce((a, b) => a * b, 1);
  const numbers = new Float32Array(counts.reduce((a, b) => a * b, 1)), padded = new Uint8Array(cells);
  let n = 0;
  const fill = (/** @type {number} */ axis, /** @type {number} */ flat, /** @type {boolean} */ inside) => {
    if (axis === spans.length) {
      numbers[n] = inside ? data[flat] : outside;
      if (!inside) padded[n % cells] = 1;
      n++;
      return;
    }
    const [first, step, count] = spans[axis], size = shape[axis];
    for (let k = 0, cell = first; k < count; k++, cell += step)
      fill(axis + 1, flat * size + cell, inside && cell >= 0 && cell < size);
  };
  fill(0, 0, true);
  return {
    numbers: { shape: counts, data: numbers },
    padded: padded.includes(1) ? { shape: counts.slice(-2), data: padded } : null,
  };
}

/**
 * Returns what `each` makes of each number, as float32.
 * @param {NDArray} array
 * @param {(x: number, k: number) => number} each
 */
export function mapped({ shape, data }, each) {
  return { shape, data: Float32Array.from(data, each) };
}

/**
 * Returns the sum of the numbers.
 * @param {NDArray} array
 */
export function total({ data }) {
  let sum = 0;
  for (let k = 0; k < data.length; k++) sum += data[k];
  return sum;
}

/**
 * Returns the largest magnitude of the finite numbers.
 * @param {NDArray} array
 */
export function magnitude({ data }) {
  let most = 0;
  for (let k = 0; k < data.length; k++)
    if (Number.isFinite(data[k])) most = Math.max(most, Math.abs(data[k]));
  return most;
}

/**
 * Returns the index of the largest number, the first of equals; of a NaN if there is one.
 * @param {NDArray} array
 * @param {1 | -1} sign   −1 for the smallest.
 */
export function extreme({ data }, sign) {
  let found = 0;
  for (let k = 0; k < data.length; k++) {
    if (Number.isNaN(data[k])) return k;
    if (sign * data[k] > sign * data[found]) found = k;
  }
  return found;
}

/**
 * Returns the place of a number in an array, from its index in the array as one row.
 * @param {number[]} shape
 * @param {number} flat
 */
export function place(shape, flat) {
  let rest = flat;
  return shape.map((_, axis) => {
    const below = shape.slice(axis + 1).reduce((a, b) => a * b, 1), k = Math.floor(rest / below);
    rest -= k * below;
    return k;
  });
}
