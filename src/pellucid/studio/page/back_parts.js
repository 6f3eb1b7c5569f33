// The parts of the way back: the loss, the gradient that arrives at a unit, and what the unit hands on.

import { boxPart, sumOfSums, unitOf, weightsOf } from "./box_part.js";
import { chooseUnit, unitLink, unitName } from "./choice.js";
import { cssColour, inkOn } from "./colours.js";
import { make } from "./dom.js";
import { equation, formulaLines } from "./formula.js";
import { mostOf } from "./grids.js";
import { termList } from "./terms.js";
import { counted, figure } from "./text.js";

/** @typedef {import("./box_part.js").Context} Context */

const MOST_CLASSES = 16; // of the loss; of more, those with the largest gradients

/**
 * Softmax minus one-hot, in numbers.
 * @param {Context} context
 * @param {any} back   The answer of `way_back`.
 */
export function lossPart({ studio, digits }, { trace, loss, class: target }) {
  const { text, network } = studio, { scores, probabilities, target: hot, gradient } = trace;
  const names = network.classes, all = Array.from(gradient.data, (_, k) => k);
  const strong = all.length <= MOST_CLASSES ? all : all.sort((a, b) => Number(b === target) - Number(a === target) ||
    Math.abs(gradient.data[b]) - Math.abs(gradient.data[a])).slice(0, MOST_CLASSES);
  const most = mostOf(gradient.data);
  const row = (/** @type {string} */ name, /** @type {any} */ { data }, coloured = false) => make("tr", {}, make("th", { scope: "row", text: name }),
    ...strong.map((k) => {
      const cell = make("td", { class: k === target ? "target" : null, text: figure(data[k], digits) });
      if (coloured) Object.assign(cell.style, { backgroundColor: cssColour(data[k], most), color: inkOn(data[k], most) });
      return cell;
    }));
  const head = make("tr", {}, make("td"), ...strong.map((k) => make("th", { scope: "col", text: names[k] ?? k })));
  const rest = all.length - strong.length;
  return [equation(trace.text), make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("back.loss") },
    make("table", { class: "numbers loss" }, make("thead", {}, head), make("tbody", {},
      row("s", scores), row("p", probabilities), row("t", hot), row("p − t", gradient, true)))),
  rest > 0 && make("p", { class: "note", text: text("back.rest", { n: counted(rest) }) }),
  make("p", { class: "numbers total" }, `L = −ln p[${names[target] ?? target}] = −ln ${figure(probabilities.data[target], digits)} = `, make("strong", { class: "result", text: figure(loss, 7) }))];
}

/**
 * What the units that read this one return to it.
 * @param {Context} context
 * @param {any} part
 */
export function arrivingPart(context, part) {
  const { studio, value, digits } = context, { text, network } = studio;
  if (part.form === "formula") return make("div", { class: "part" }, make("h4", { text: text("back.from_loss") }), formulaLines(studio, value, part, digits));
  const reader = network.values[part.reader], inside = [make("h4", {}, `${text("back.from", { title: reader.title })} `, make("span", { class: "note", text: part.kind })), equation(part.equation)];
  if (part.symbols.length) inside.push(make("p", { class: "numbers note", text: part.symbols.map((/** @type {any} */ each) => `${each.symbol} = ${figure(each.value, digits)}`).join(", ") }));
  const total = [make("strong", { class: "result", text: figure(part.result, Math.max(digits, 7)) })];
  if (!part.listed) return make("div", { class: "part" }, ...inside, make("p", { class: "note", text: text("back.too_many") }), make("p", { class: "numbers total" }, "Σ = ", ...total));
  const w = part.weight ? "w" : "∂y/∂x";
  if (part.units) {
    const [n, axes] = part.units.shape, unit = (/** @type {number} */ k) => Array.from(part.units.data.subarray(k * axes, (k + 1) * axes));
    const columns = [{ heading: "dy", data: part.numbers.data }, { heading: `× ${w}`, data: part.factors.data }, { heading: "=", data: part.products.data }];
    inside.push(termList({ label: text("back.terms"), count: n, name: reader.title, at: (k) => unitLink(studio, `[${unit(k).join(", ")}]`, reader.id, unit(k)), columns, sum: part.products.data,
      soFar: text("unit.so-far"), digits, inOrder: context.inOrder, stop: context.stop }).element, make("p", { class: "numbers total" }, "Σ = ", ...total));
  } else {
    const box = { ...part, input: part.reader, padded: null };
    inside.push(boxPart({ ...context, value: reader }, box, [
      { heading: "dy", letter: "dy", sign: "", data: part.numbers.data, choose: (place) => chooseUnit(studio, reader.id, unitOf(box, place), "back") },
      { heading: w, letter: w, sign: "×", data: part.factors.data },
      { heading: `dy · ${w}`, letter: `dy · ${w}`, sign: "=", data: part.products.data },
    ], part.products.data), make("p", { class: "numbers total" }, `Σ = ${sumOfSums(context, box, part.products.data)}`, ...total));
  }
  return make("div", { class: "part" }, ...inside);
}

/**
 * What the unit hands to each number of its window.
 * @param {Context} context
 * @param {any} hand
 * @param {number} arrives
 */
export function handedPart(context, hand, arrives) {
  const { studio, digits } = context, { text, network } = studio, from = network.values[hand.input], linear = Boolean(hand.weights);
  const w = linear ? "w" : "∂y/∂x";
  return make("div", { class: "part" },
    make("h4", {}, text("back.to", { title: from.title })),
    make("p", { class: "numbers", text: `dx = dy · ${w},  dy = ${figure(arrives, Math.max(digits, 5))}` }),
    boxPart(context, hand, [
      { heading: w, letter: w, sign: "", data: hand.factors.data, padded: true, choose: linear ? weightsOf(context, hand) : null },
      { heading: `dy · ${w}`, letter: `dy · ${w}`, sign: "→", data: hand.products.data, padded: true, choose: (place) => chooseUnit(studio, from.id, unitOf(hand, place), "back") },
    ], null));
}

/** Whether the parts add up to the gradient: "a + b = c". */
export function arrivingSum(/** @type {any} */ { parts, arrives, value, unit }, /** @type {Context} */ { studio, digits }) {
  const name = unitName(studio.network.values[value], unit);
  const terms = parts.length > 1 ? `${parts.map((/** @type {any} */ { result }, /** @type {number} */ k) => (k && result < 0 ? "− " : k ? "+ " : "") + figure(k ? Math.abs(result) : result, Math.max(digits, 5))).join(" ")} = ` : "";
  return make("p", { class: "numbers total" }, `dL/d ${name} = ${terms}`, make("strong", { class: "result arrives", text: figure(arrives, Math.max(digits, 7)) }));
}
