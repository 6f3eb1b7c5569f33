// The parts of a unit's arithmetic, each by its form (pellucid.viz.analysis.arithmetic).

import { make } from "./dom.js";
import { unitLink, unitName } from "./choice.js";
import { boxPart, sumOfSums, unitsOf, weightsOf } from "./box_part.js";
import { formulaLines } from "./formula.js";
import { matrices } from "./im2col.js";
import { figure } from "./text.js";

/** @typedef {import("./box_part.js").Context} Context */

/** @type {Record<string, (context: Context, part: any) => (Node | false | null | undefined)[]>} */
const FORMS = {
  products(context, part) {
    const { studio, matrices: asMatrices } = context, { im2col } = part, { text } = studio;
    const x = { heading: text("unit.x"), letter: "x", sign: "", data: part.numbers.data, padded: true, choose: unitsOf(context, part) };
    const w = { heading: text("unit.w"), letter: "w", sign: "×", data: part.weights.data, choose: weightsOf(context, part) };
    const products = { heading: text("unit.products"), letter: "w · x", sign: "=", data: part.products.data };
    const total = result(context, `${part.name} = ${sumOfSums(context, part, part.products.data)}`, part.result);
    if (!asMatrices || !im2col) return [boxPart(context, part, [x, w, products], part.products.data), total];
    const column = (context.value.shape.length === 3 ? context.unit[0] : context.unit[context.unit.length - 1]) % im2col.weights[1];
    return [matrices(studio, im2col, column),
      make("p", { class: "note", text: text("unit.row-times-column", { n: part.numbers.data.length }) }),
      boxPart({ ...context, inOrder: true }, part, [x, w, products], part.products.data, true), total];
  },

  reduction(context, part) {
    const { studio, value, digits } = context, { text } = studio;
    /** @type {import("./box_part.js").Column[]} */
    const columns = [{ heading: text("unit.x"), letter: "x", sign: "", data: part.numbers.data, padded: true, choose: unitsOf(context, part), marked: flat(part.winner, part.numbers.shape) }];
    if (part.weights) columns.push({ heading: text("unit.w"), letter: "w", sign: "", data: part.weights.data, padded: false, choose: weightsOf(context, part) });
    if (part.each) columns.push({ heading: part.text, letter: part.text, sign: "→", data: part.each.data });
    const added = part.winner ? null : (part.each ?? part.numbers).data;
    const of = part.winner && ` (${text("unit.of-numbers", { n: part.counted })})`;
    const name = part.winner ? `${part.name} = ` : `${part.symbol} = Σ = ${sumOfSums(context, part, added)}`;
    return [boxPart(context, part, columns, added),
      (part.winner || !part.steps.length) && result(context, name, part.result, of),
      ...part.steps.map((/** @type {any} */ step) => formulaLines(studio, value, step, digits))];
  },

  terms({ studio, value, digits }, part) {
    const named = part.terms.map((/** @type {any} */ each) => ({ ...each, symbol: each.label }));
    const labels = named.map((/** @type {any} */ each) => each.symbol), listed = /\p{L}/u.test(part.operator);
    const text = listed ? `y = ${part.operator}(${labels.join(", ")})` : `y = ${labels.join(` ${part.operator} `)}`;
    return [formulaLines(studio, value, { text, numbers: named, result: part.result }, Math.max(digits, 5))];
  },

  formula: ({ studio, value, digits }, part) => [formulaLines(studio, value, part, digits)],

  copy({ studio, digits }, part) {
    const { text } = studio, number = figure(part.result, Math.max(digits, 7));
    if (part.padded) return [make("p", {}, text("unit.is-padding"), " ", make("strong", { class: "result numbers", text: number }))];
    const from = studio.network.values[part.input];
    return [make("p", {}, text("unit.copied", { from: unitName(from, part.unit) }), " ",
      make("strong", { class: "result" }, unitLink(studio, number, part.input, part.unit)))];
  },

  reading(context, part) {
    const x = { heading: context.studio.text("unit.x"), letter: "x", sign: "", data: part.numbers.data, padded: true, choose: unitsOf(context, part) };
    return [boxPart(context, part, [x], null)];
  },
};

/**
 * The number that a part comes to.
 * @param {Context} context
 * @param {string} name
 * @param {number} number
 * @param {string} [more]
 */
const result = ({ digits }, name, number, more) => make("p", { class: "numbers total" }, name,
  make("strong", { class: "result", text: figure(number, Math.max(digits, 7)) }), more);

/**
 * @param {Context} context
 * @param {any} part
 * @returns {HTMLElement}
 */
export function drawPart(context, part) {
  return make("div", { class: `part ${part.form}`, "data-form": part.form }, ...FORMS[part.form](context, part));
}

/** @param {number[] | null} place @param {number[]} shape */
function flat(place, shape) {
  return place ? place.reduce((k, index, axis) => k * shape[axis] + index, 0) : undefined;
}
