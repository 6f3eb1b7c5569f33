// The layers of a pattern as a table, and the words of patterns.

import { make } from "./dom.js";
import { counted, figure } from "./text.js";

/** @typedef {import("./types.js").Studio["text"]} Text */

/**
 * @param {any} found   The answer of `build`.
 * @param {Text} text
 * @param {(row: any) => void} point   Is told which row is pointed at; null for none.
 */
export function layerTable({ rows, parameters, products }, text, point) {
  const most = { parameters: Math.max(1, ...rows.map((/** @type {any} */ row) => row.parameters)), products: Math.max(1, ...rows.map((/** @type {any} */ row) => row.products)) };
  const bar = (/** @type {any} */ row, /** @type {"parameters" | "products"} */ key) => {
    const share = make("span", { class: "share" });
    share.style.width = `${(100 * row[key]) / most[key]}%`;
    return make("td", { class: "bar" }, share, make("span", { text: counted(row[key]) }));
  };
  const body = make("tbody", {}, ...rows.map((/** @type {any} */ row) => make("tr", {
    "data-start": row.start, "data-end": row.end, class: row.implied ? "implied" : null, onmouseenter: () => point(row), onmouseleave: () => point(null),
  }, make("th", { scope: "row", class: "word", text: row.path }), make("td", { class: "word code", text: row.repr }),
  make("td", { text: row.shape.join("×") }), bar(row, "parameters"), bar(row, "products"), make("td", { text: fieldWords(row.field, text) }))));
  const names = ["layer", "call", "shape", "parameters", "products", "field"];
  const head = make("tr", {}, ...names.map((name, k) => make("th", { scope: "col", class: k < 2 ? "word" : null, text: text(`build.${name}`) })));
  const foot = make("tr", {}, make("th", { scope: "row", class: "word", text: text("build.all") }), make("td"), make("td"),
    make("td", { text: counted(parameters) }), make("td", { text: counted(products) }), make("td"));
  return make("table", { class: "numbers layer-table" }, make("thead", {}, head), body, make("tfoot", {}, foot));
}

/** @param {{size: number[], stride: number[], everything: boolean}} field @param {Text} text */
function fieldWords({ size, stride, everything }, text) {
  if (everything) return text("build.everything");
  return text("build.window", { size: size.map((n) => figure(n, 7)).join("×"), step: stride[0] === stride[1] ? figure(stride[0], 7) : stride.map((n) => figure(n, 7)).join("×") });
}

/**
 * @param {{word: string, kind: string, says: string, form: string, also: string[]}[]} words
 * @param {Text} text
 */
export function wordTable(words, text) {
  const head = make("tr", {}, ...["word", "kind", "form", "says"].map((name) => make("th", { scope: "col", class: "word", text: text(`build.${name}`) })));
  const body = make("tbody", {}, ...words.map(({ word, kind, says, form, also }) => make("tr", {},
    make("th", { scope: "row", class: "word code", text: [word, ...also].join(", ") }), make("td", { class: "word code", text: kind }),
    make("td", { class: "word", lang: "en", text: form }), make("td", { class: "word", lang: "en", text: says }))));
  return make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("build.words") },
    make("table", { class: "numbers word-table" }, make("thead", {}, head), body));
}
