// A formula, and below it the same with its numbers put in.

import { make } from "./dom.js";
import { unitLink, weightChooser } from "./choice.js";
import { figure } from "./text.js";

/**
 * A number in a formula, and where it comes from: a unit, or an array of the layer.
 * @typedef {{symbol: string, value: number, input?: number, unit?: number[], key?: string, index?: number[]}} Put
 */

/**
 * @param {import("./types.js").Studio} studio
 * @param {import("./types.js").Value} value   Whose layer computes it.
 * @param {{text: string, numbers: Put[], result: number}} formula   `text` is "y = ...".
 * @param {number} digits
 * @returns {HTMLElement}
 */
export function formulaLines(studio, value, { text, numbers, result }, digits) {
  const [left, right] = text.split(/ = (.*)/s), known = new Map(numbers.map((each) => [each.symbol, each]));
  /** @type {(Node | string)[]} */
  const put = [];
  // Words with what belongs to them, as "σ²", "x1" or "b[3]"; all else stays as it is.
  for (const word of right.match(/\p{L}+\d*(\[[\d,]*\])?²?|[^\p{L}]+/gu) ?? []) {
    const bare = word.replace(/²$/, ""), found = known.get(word) ?? known.get(bare);
    if (!found) put.push(word);
    else put.push(...numberNodes(studio, value, found, digits, /[(,]\s*$/.test(String(put[put.length - 1] ?? "("))), known.has(word) ? "" : word.slice(bare.length));
  }
  return make("div", { class: "formula" },
    equation(text),
    make("p", { class: "numbers" }, `${left} = `, ...put),
    make("p", { class: "numbers" }, `${left} = `, make("strong", { class: "result", text: figure(result, Math.max(digits, 7)) })));
}

/** A formula in the letters of a book: what stands in brackets right after a letter is set below the line. */
export const equation = (/** @type {string} */ text) => make("p", { class: "equation" },
  ...text.split(/(?<=[\p{L}′])\[([^\]]*)\]/u).map((words, k) => (k % 2 ? make("sub", { text: words }) : words)));

/**
 * A number as it stands in a formula: negative ones in parentheses, unless it stands `alone`; a link where it comes from somewhere.
 * @param {import("./types.js").Studio} studio
 * @param {import("./types.js").Value} value
 * @param {Put} put
 * @param {number} digits
 * @param {boolean} alone
 * @returns {(Node | string)[]}
 */
function numberNodes(studio, value, put, digits, alone) {
  const words = figure(put.value, digits), open = weightChooser(studio, value, put.key);
  let node;
  if (put.input !== undefined && put.unit) node = unitLink(studio, words, put.input, put.unit);
  else if (open) node = make("button", { type: "button", class: "link number", text: words, title: `${put.symbol} · ${put.key}[${put.index ?? ""}]`, onclick: () => open(put.index ?? []) });
  else node = make("span", { text: words, title: put.symbol });
  return put.value < 0 && !alone ? ["(", node, ")"] : [node];
}
