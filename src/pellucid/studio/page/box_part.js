// The numbers that a unit reads, with what is done to each: grids side by side for windows, rows of a
// list where each channel gives one number.

import { make } from "./dom.js";
import { chooseUnit, unitLink, weightChooser } from "./choice.js";
import { mostOf, numberGrid } from "./grids.js";
import { lazily } from "./lazy.js";
import { aligned, figure } from "./text.js";

const WIDEST = 16; // columns of a grid; wider windows are lists
const MOST_CELLS = 256; // of a grid
const TOGETHER = 100; // rows of a list that are filled at once

/**
 * What the parts of a unit are drawn with. `stop` is what ends it, `picked` is told which channel a
 * reader looks at.
 * @typedef {{studio: import("./types.js").Studio, value: import("./types.js").Value, unit: number[],
 *   digits: number, inOrder: boolean, matrices: boolean, stop: (() => void)[], picked: (channel: number) => void}} Context
 *
 * A column of numbers of the shape of the box; `sign` stands before it.
 * @typedef {{heading: string, letter: string, sign: string, data: ArrayLike<number>, most?: number, padded?: boolean,
 *   choose?: ((place: number[]) => void) | null, marked?: number}} Column
 */

const size = (/** @type {number[]} */ shape) => shape.reduce((a, b) => a * b, 1);

/** The indices of the k-th number of an array. */
export function placeOf(/** @type {number} */ k, /** @type {number[]} */ shape) {
  const place = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place.unshift(k % shape[axis]);
    k = Math.floor(k / shape[axis]);
  }
  return place;
}

/**
 * The unit of the value before that a number of a part's box is; it may lie outside the map.
 * @param {any} part
 * @param {number[]} place
 */
export function unitOf(part, place) {
  const spans = part.indices ?? [[part.channels[0], 1], part.rows, part.columns];
  return place.map((k, axis) => spans[axis][0] + k * spans[axis][1]);
}

/**
 * The index in a layer's array of the weight at a place of a part's box.
 * @param {any} part
 * @param {number} axes   Of the array.
 * @param {number[]} place
 */
export function weightIndex(part, axes, place) {
  const fixed = part.weight_index.filter((/** @type {any} */ each) => typeof each === "number").length;
  const going = place.slice(place.length - (axes - fixed));
  return Array.from({ length: axes }, (_, axis) => {
    const entry = part.weight_index[axis] ?? [0, 1];
    return typeof entry === "number" ? entry : entry[0] + entry[1] * /** @type {number} */ (going.shift());
  });
}

/** What opens the weights of a part; null where they are not those of an array that is trained. */
export function weightsOf(/** @type {Context} */ { studio, value }, /** @type {any} */ part) {
  const found = value.weights.find(({ key }) => key === part.weight || key.endsWith(`.${part.weight}`));
  const open = weightChooser(studio, value, part.weight);
  return found && open && ((/** @type {number[]} */ place) => open(weightIndex(part, found.shape.length, place)));
}

/** What opens the units of the value before. */
export const unitsOf = (/** @type {Context} */ { studio }, /** @type {any} */ part) =>
  (/** @type {number[]} */ place) => chooseUnit(studio, part.input, unitOf(part, place));

/** Whether a part's numbers are windows that fit in grids. */
export function isWindow(/** @type {any} */ { numbers: { shape } }) {
  const [, h, w] = shape;
  return shape.length === 3 && h * w > 1 && h * w <= MOST_CELLS && w <= WIDEST;
}

/**
 * @param {Context} context
 * @param {any} part   A part with `numbers`.
 * @param {Column[]} columns
 * @param {ArrayLike<number> | null} sums   What is added up over each channel, or each number of a list.
 * @param {boolean} [asList]
 */
export function boxPart(context, part, columns, sums, asList = false) {
  for (const column of columns) column.most ??= mostOf(column.data);
  return isWindow(part) && !asList ? windows(context, part, columns, sums) : list(context, part, columns, sums);
}

/**
 * @param {Context} context
 * @param {any} part
 * @param {Column[]} columns
 * @param {ArrayLike<number> | null} sums
 */
function windows({ studio, digits, inOrder, stop, picked }, part, columns, sums) {
  const { text } = studio, [channels, h, w] = part.numbers.shape, added = sums && channelSums(sums, channels);
  const box = make("div", { class: "windows", tabindex: 0, role: "group", "aria-label": text("unit.windows") });
  if (channels === 1) box.style.maxHeight = "none";
  const lazy = lazily(box), title = studio.network.values[part.input].title;
  stop.push(lazy.stop);
  for (const c of ordered(channels, added, inOrder)) {
    const place = make("div", { class: "window" });
    place.style.minHeight = `${h * 1.3 + 2.6}rem`;
    lazy.watch(place, () => place.replaceChildren(...row(c)), () => place.replaceChildren());
    box.append(place);
  }
  /** @param {number} c */
  function row(c) {
    const number = unitOf(part, [c, 0, 0])[0], from = c * h * w, grids = [];
    for (const { heading, sign, data, most, padded, choose, marked = -1 } of columns) {
      if (sign) grids.push(make("span", { class: "sign", text: sign }));
      grids.push(numberGrid(Array.prototype.slice.call(data, from, from + h * w), h, w, {
        caption: `${heading} ${number}`, heading, most, digits, marked: marked - from, padding: text("unit.padding"),
        padded: padded && part.padded ? (k) => Boolean(part.padded.data[k]) : undefined,
        choose: choose ? (k) => { if (!(padded && part.padded?.data[k])) choose(placeOf(from + k, part.numbers.shape)); } : undefined,
        hint: choose && padded ? (k) => `${title}[${unitOf(part, placeOf(from + k, part.numbers.shape)).join(", ")}]` : undefined,
      }));
    }
    if (added && channels > 1) grids.push(make("span", { class: "sign", text: "→ Σ" }), make("span", { class: "numbers sum", text: figure(added[c], Math.max(digits, 5)) }));
    const name = channels > 1 && make("button", { type: "button", class: "link", text: text("unit.channel", { c: number }), onclick: () => picked(number) });
    return [name, make("div", { class: "times" }, ...grids)].filter(Boolean);
  }
  return box;
}

/**
 * The sum of a part as that of its channels: the largest ones, then all others together.
 * @param {Context} context
 * @param {any} part
 * @param {ArrayLike<number>} sums
 */
export function sumOfSums({ studio, digits }, part, sums) {
  const [channels] = part.numbers.shape;
  if (!isWindow(part) || channels < 2) return "";
  const added = channelSums(sums, channels), order = ordered(channels, added, false);
  const shown = order.slice(0, channels > 7 ? 6 : 7), rest = order.slice(shown.length), most = Math.abs(added[order[0]]);
  const signed = (/** @type {number} */ x, /** @type {number} */ k) => (k ? (x < 0 ? " − " : " + ") : x < 0 ? "−" : "") + aligned(Math.abs(x), most, digits);
  const last = rest.length && `${signed(rest.reduce((sum, c) => sum + added[c], 0), 1)} (${studio.text("unit.others", { n: rest.length })})`;
  return `${shown.map((c, k) => signed(added[c], k)).join("")}${last || ""} = `;
}

/**
 * @param {Context} context
 * @param {any} part
 * @param {Column[]} columns
 * @param {ArrayLike<number> | null} sums
 */
function list({ studio, digits, inOrder, stop }, part, columns, sums) {
  const { text } = studio, { shape } = part.numbers, n = size(shape), area = part.padded ? size(part.padded.shape) : 0;
  const outside = (/** @type {number} */ k) => Boolean(area && part.padded.data[k % area]);
  const box = make("div", { class: "scrolled list", tabindex: 0, role: "group", "aria-label": text("unit.list") });
  const lazy = lazily(box), order = ordered(n, sums, inOrder), title = studio.network.values[part.input].title;
  stop.push(lazy.stop);
  let sum = 0;
  const soFar = sums && order.map((k) => (sum += sums[k]));
  /** @param {number} from */
  const table = (from) => {
    const head = make("tr", {}, make("th", { scope: "col", text: text("unit.of", { title }) }), ...columns.map(({ letter, sign }) => make("th", { scope: "col", text: `${sign} ${letter}` })), sums && make("th", { scope: "col", text: text("unit.so-far") }));
    const lines = order.slice(from, from + TOGETHER).map((k, line) => {
      const place = placeOf(k, shape), unit = unitOf(part, place), away = outside(k);
      return make("tr", { class: columns.some(({ marked }) => marked === k) ? "chosen" : null },
        make("th", { scope: "row" }, away ? text("unit.padding") : unitLink(studio, `[${unit.join(", ")}]`, part.input, unit)),
        ...columns.map(({ data, choose, padded, most }) => make("td", {}, choose && !padded
          ? make("button", { type: "button", class: "link number", text: aligned(data[k], most ?? 0, digits), onclick: () => choose(place) })
          : aligned(data[k], most ?? 0, digits))),
        soFar && make("td", { text: figure(soFar[from + line], Math.max(digits, 5)) }));
    });
    return make("table", { class: "numbers" }, make("thead", {}, head), make("tbody", {}, ...lines));
  };
  for (let from = 0; from < n; from += TOGETHER) {
    const place = make("div");
    place.style.minHeight = `${Math.min(TOGETHER, n - from) * 1.4}rem`;
    lazy.watch(place, () => place.replaceChildren(table(from)), () => place.replaceChildren());
    box.append(place);
  }
  return box;
}

/** The sums over each channel. */
export function channelSums(/** @type {ArrayLike<number>} */ data, /** @type {number} */ channels) {
  const sums = new Float64Array(channels), area = data.length / channels;
  for (let k = 0; k < data.length; k++) sums[Math.floor(k / area)] += data[k];
  return sums;
}

/**
 * The numbers 0 to n: those with the largest sums first, unless they are wanted in order.
 * @param {number} n
 * @param {ArrayLike<number> | null} sums
 * @param {boolean} inOrder
 */
function ordered(n, sums, inOrder) {
  const all = Array.from({ length: n }, (_, k) => k);
  return inOrder || !sums ? all : all.sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a]) || a - b);
}
