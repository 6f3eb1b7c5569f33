// The arithmetic of a unit, from the description of a layer that describing.py has written: the twin
// of pellucid.viz.analysis.arithmetic, whose parts.py says what each part has. It knows the forms of
// parts and nothing of layers.

import { at, extreme, gathered, magnitude, mapped, place, total } from "./arrays.js";
import { formula } from "./formula.js";
import { resolved } from "./rules.js";

/** @typedef {import("./arrays.js").NDArray} NDArray */
/** @typedef {import("./formula.js").Known} Known */
/** @typedef {Record<string, any>} Part */

/**
 * What the parts of a unit are computed from.
 * @typedef {object} Source
 * @property {NDArray[]} values   Of the network for one image, by number.
 * @property {Record<string, NDArray>} weights   Of the network's state, by key.
 * @property {number} engine   The number in the map.
 * @property {Known} known   The results of the parts so far.
 * @property {number[]} sizes   Magnitudes of what was added up: a rounding error is one of the largest.
 */

const CLOSE = 1e-4;

/**
 * Returns how one number of a value is computed, as `Arithmetic.as_dict` has it. Where there is no
 * description, or what it comes to is not the number in the map, `exact` is false, and the parts say
 * what the layer reads.
 * @param {any} described   One of the `values` of describing.described.
 * @param {NDArray[]} values
 * @param {number[]} unit
 * @param {Record<string, NDArray>} weights
 */
export function arithmetic(described, values, unit, weights) {
  const { value, path, kind, repr } = described, engine = at(values[value], unit);
  const told = { value, path, kind, repr, unit: [...unit], engine };
  /** @type {Source} */
  const source = { values, weights, engine, known: {}, sizes: [Math.abs(engine)] };
  if (described.variants) {
    try {
      const { parts, ...more } = resolved(variant(described, unit), unit);
      for (const part of parts) fill(part, source);
      const result = parts.length ? parts[parts.length - 1].result : engine;
      if (close(result, source)) return { ...told, result, ...more, parts };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error; // a formula that only Python can read
    }
  }
  const parts = described.reads.map((/** @type {number} */ input) => whole(kind, input, source));
  return { ...told, result: engine, equation: "y = f(x)", symbols: {}, exact: false, parts };
}

/**
 * Returns what goes for a unit, by the classes of its indices.
 * @param {{variants: any[], which?: number[][]}} described
 * @param {number[]} unit
 */
function variant({ variants, which = [] }, unit) {
  const of = (/** @type {number} */ number, /** @type {number[]} */ classes, /** @type {number} */ axis) =>
    classes.length ? number * (Math.max(...classes) + 1) + classes[unit[axis]] : number;
  return variants[which.reduce(of, 0)];
}

/**
 * @param {number} result
 * @param {Source} source
 */
function close(result, { engine, sizes }) {
  if (!Number.isFinite(result) || !Number.isFinite(engine)) return Object.is(result, engine);
  return Math.abs(result - engine) <= CLOSE * Math.max(...sizes.filter(Number.isFinite), 1e-30);
}

/**
 * @param {Part} part
 * @param {Source} source
 */
function fill(part, source) {
  const spans = spansOf(part);
  if (spans) Object.assign(part, gathered(source.values[part.input], spans, EMPTY[part.name] ?? 0));
  part.result = FORMS[part.form](part, source);
  source.known[part.symbol ?? part.name] = part.result;
  source.sizes.push(Math.abs(part.result));
}

/**
 * Returns the box of a part along each axis.
 * @param {Part} part
 * @returns {import("./arrays.js").Span[] | undefined}
 */
function spansOf({ channels, rows, columns, indices }) {
  return channels ? [[channels[0], 1, channels[1] - channels[0]], rows, columns] : indices;
}

/**
 * Returns the part that says that all of an input is read.
 * @param {string} name
 * @param {number} input
 * @param {Source} source
 */
function whole(name, input, { values, engine }) {
  const spans = values[input].shape.map((size) => [0, 1, size]), [channels, rows, columns] = spans;
  const box = spans.length === 3
    ? { channels: [0, channels[2]], rows, columns, indices: null }
    : { channels: null, rows: null, columns: null, indices: spans };
  return { form: "reading", name, input, ...box, ...gathered(values[input], spans), result: engine };
}

// The forms of parts: each completes a part, and returns what it comes to --------------------------

/**
 * What stands for padding.
 * @type {Record<string, number>}
 */
const EMPTY = { max: -Infinity, min: Infinity };

/** @type {Record<string, (part: Part, source: Source) => number>} */
const FORMS = { products, reduction, terms, formula: computed, copy, reading: (_, { engine }) => engine };

/** @type {Record<string, (a: number, b: number) => number>} */
const OPERATORS = {
  "+": (a, b) => a + b, "−": (a, b) => a - b, "×": (a, b) => a * b, "/": (a, b) => a / b,
  max: (a, b) => Math.max(a, b), min: (a, b) => Math.min(a, b),
};

/** @type {(part: Part, source: Source) => number} */
function products(part, { values, weights, sizes }) {
  const { numbers, weights_from: other } = part;
  if (part.weight) part.weights = weightsOf(part, weights);
  else if (other) part.weights = gathered(values[other.input], spansOf(other) ?? []).numbers;
  else part.weights = outer(part);
  const { data } = (part.weights = { ...part.weights, shape: numbers.shape });
  part.products = mapped(numbers, (x, k) => x * data[k] + 0); // no −0 where a weight meets padding
  sizes.push(magnitude(part.products));
  return total(part.products);
}

/**
 * Returns a column of weights times a row of them.
 * @param {Part} part
 */
function outer(part) {
  const { down, across } = part.factors;
  delete part.factors;
  const row = (/** @type {number} */ a) => across.map((/** @type {number} */ b) => a * b);
  return { data: Float32Array.from(down.flatMap(row)) };
}

/**
 * Returns the weights that go with the numbers of a part: an axis of the array is fixed, or goes
 * along with the next one of the numbers.
 * @param {Part} part
 * @param {Record<string, NDArray>} weights
 */
function weightsOf({ weight, weight_index: index, numbers }, weights) {
  const array = weights[weight];
  let next = 0;
  const spans = array.shape.map((size, axis) => {
    const entry = index[axis];
    if (typeof entry === "number") return [entry, 1, 1];
    const count = numbers.shape[next++];
    return entry ? [entry[0], entry[1], count] : [0, 1, size];
  });
  return { ...gathered(array, spans).numbers, shape: numbers.shape };
}

/** @type {(part: Part, source: Source) => number} */
function reduction(part, { weights, ...source }) {
  const { numbers, padded, name } = part;
  part.winner = part.each = part.weights = null;
  if (name in EMPTY) {
    const isPadding = (/** @type {number} */ k) => padded && padded.data[k % padded.data.length];
    let found = extreme(numbers, name === "max" ? 1 : -1);
    if (isPadding(found)) for (found = 0; isPadding(found); ) found++; // all are infinite
    part.winner = place(numbers.shape, found);
    return numbers.data[found];
  }
  if (part.weight) part.weights = weightsOf(part, weights);
  if (part.text) part.each = eachOf(part, source.known);
  const added = part.each ?? numbers;
  source.sizes.push(magnitude(added));
  let result = total(added);
  const more = { ...source, weights, known: { ...source.known, "Σ": result } };
  for (const step of part.steps) result = step.result = computed(step, more);
  return result;
}

/**
 * Returns what the text of a reduction makes of each number.
 * @param {Part} part
 * @param {Known} before
 */
function eachOf({ text, numbers, weights, steps }, before) {
  /** @type {Known} */
  const known = { ...before, x: 0, z: 0, w: 0 };
  for (const step of steps)
    for (const number of step.numbers) if ("value" in number) known[number.symbol] = number.value;
  const compute = formula(text, Object.keys(known));
  return mapped(numbers, (x, k) => {
    known.x = known.z = x;
    if (weights) known.w = weights.data[k];
    return compute(known);
  });
}

/** @type {(part: Part, source: Source) => number} */
function terms(part, source) {
  const numbers = part.terms.map((/** @type {Part} */ term) => lookedUp(term, source));
  return numbers.reduce(OPERATORS[part.operator]);
}

/** @type {(part: Part, source: Source) => number} */
function computed(part, source) {
  /** @type {Known} */
  const known = {};
  for (const number of part.numbers) known[number.symbol] = lookedUp(number, source);
  const compute = (/** @type {string} */ text) => formula(text, Object.keys(known))(known);
  if (part.text.pieces) {
    const { above, pieces } = part.text;
    part.text = pieces[known.x > compute(above) ? 0 : 1];
  }
  return compute(part.text);
}

/** @type {(part: Part, source: Source) => number} */
function copy(part, { values }) {
  const { input, flat, result } = part;
  if (flat !== undefined) {
    part.unit = place(values[input].shape, flat);
    delete part.flat;
  }
  return part.unit ? at(values[input], part.unit) : result;
}

/**
 * Returns the value of a number of a sum or formula, and writes it there.
 * @param {Part} number
 * @param {Source} source
 */
function lookedUp(number, { values, weights, known, sizes }) {
  if ("input" in number) number.value = at(values[number.input], number.unit);
  else if ("key" in number) number.value = at(weights[number.key], number.index);
  else if (!("value" in number)) number.value = known[number.symbol ?? number.label];
  sizes.push(Math.abs(number.value));
  return number.value;
}
