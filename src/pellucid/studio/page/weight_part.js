// One weight: the terms that its gradient is the sum of, and its next value under an optimizer.

import { unitLink } from "./choice.js";
import { make } from "./dom.js";
import { equation } from "./formula.js";
import { mostOf } from "./grids.js";
import { laidOut } from "./layout.js";
import { mapFigure } from "./map_figure.js";
import { termList } from "./terms.js";
import { counted, figure } from "./text.js";

/**
 * @param {import("./box_part.js").Context} context
 * @param {any} step   The answer of `weight`.
 */
export function gradientPart({ studio, digits, inOrder, stop }, { key, index, equation: text, gradient, windows }) {
  const { listed: { at, dy, x, products, padded }, total, rest } = windows, [n, axes] = at.shape, words = studio.text;
  const value = studio.network.values[windows.value], unit = (/** @type {number} */ k) => Array.from(at.data.subarray(k * axes, (k + 1) * axes));
  const where = (/** @type {number} */ k) => make("span", {}, unitLink(studio, `[${unit(k).join(", ")}]`, value.id, unit(k)), padded?.data[k] ? ` ${words("unit.padding")}` : "");
  const list = termList({ label: words("weight.terms"), count: n, name: value.title, at: where, stop, digits, inOrder, soFar: words("unit.so-far"), sum: products.data,
    columns: [{ heading: "dy", data: dy.data }, { heading: "× x", data: x.data }, { heading: "= dy · x", data: products.data }] });
  const name = `dL/d ${key}[${index.join(", ")}]`, more = total > n && ` + ${figure(rest, Math.max(digits, 5))} (${words("weight.rest", { n: counted(total - n) })})`;
  return [equation(text), make("div", { class: "columns" }, productMap(studio, value, windows, unit, list.go), make("div", { class: "terms" }, list.element)),
    make("p", { class: "numbers total" }, `${name} = Σ${more || ""} = `, make("strong", { class: "result gradient", text: figure(gradient, Math.max(digits, 7)) }))];
}

/**
 * The products on the map of the layer: where in the image this weight's gradient comes from.
 * @param {import("./types.js").Studio} studio
 * @param {import("./types.js").Value} value
 * @param {any} windows
 * @param {(k: number) => number[]} unit
 * @param {(k: number) => void} go
 */
function productMap({ text }, value, { listed: { at, products } }, unit, go) {
  const { h, w, row, place } = laidOut(value.shape), [n] = at.shape;
  if (row || n < 2) return null;
  const numbers = new Float32Array(h * w), which = new Map();
  for (let k = 0; k < n; k++) {
    const [, i, j] = place(unit(k));
    numbers[i * w + j] = products.data[k];
    which.set(i * w + j, k);
  }
  const figure = mapFigure({ size: 240, label: text("weight.map_keys"), move: (i, j) => {
    draw([i, j]);
    if (which.has(i * w + j)) go(which.get(i * w + j));
  } });
  const draw = (/** @type {[number, number]} */ cursor) => figure.draw({ h, w, numbers, most: mostOf(numbers), cursor, words: text("weight.map_words", { h, w }), caption: text("weight.map") });
  queueMicrotask(() => draw([0, 0]));
  return figure.element;
}

/**
 * The rule of the optimizer, line by line, with its numbers put in.
 * @param {import("./box_part.js").Context} context
 * @param {any} step
 */
export function updatePart({ digits }, { number, update: { optimizer, lines, numbers, next } }) {
  const known = new Map(numbers.map((/** @type {any} */ { symbol, value }) => [symbol, value]));
  const symbols = [...known.keys()].sort((a, b) => b.length - a.length);
  const parts = new RegExp(`(${symbols.map((each) => each.replace(/[.*+?^$(){}|[\]\\]/g, "\\$&")).join("|")})(?![\\p{L}\\p{M}′])`, "gu");
  const put = (/** @type {string} */ text) => text.replace(/βᵗ|β₁ᵗ|β₂ᵗ/g, (power) => `${power.slice(0, -1)}^t`).replace(parts, (symbol) => {
    const x = known.get(symbol);
    return x < 0 ? `(${figure(x, digits)})` : figure(x, digits);
  });
  return [make("p", { class: "note number", text: optimizer }), ...lines.map((/** @type {string} */ line) => {
    const [left, sign, right] = line.split(/ (=|←) /), result = sign === "←" ? next : known.get(left);
    return make("div", { class: "formula" }, equation(line),
      make("p", { class: "numbers" }, `${left} ${sign} ${put(right)} = `, make("strong", { text: figure(result, Math.max(digits, 6)) })));
  }), make("p", { class: "numbers total" }, `w: ${figure(number, 7)} → `, make("strong", { class: "result next", text: figure(next, 7) }))];
}
