// What is known of the layers: of one in a list, of all in a table.

import { make } from "./dom.js";
import { fieldOf } from "./graph.js";
import { counted } from "./text.js";

/** @typedef {import("./types.js").Studio} Studio */

/**
 * @param {Studio} studio
 * @param {import("./types.js").Value} value
 */
export function layerFacts({ text, network: { values } }, value) {
  const list = make("dl", { class: "facts" });
  const fact = (/** @type {string} */ words, /** @type {string} */ what) =>
    list.append(make("div", {}, make("dt", { text: words }), make("dd", { text: what })));
  const { shape, weights, field: { size, stride, everything } } = value;
  const numbers = counted(shape.reduce((a, b) => a * b, 1));
  fact(text("network.shape"), shape.length > 1 ? `${shape.join("×")} = ${numbers}` : numbers);
  for (const weight of weights) fact(weight.key, weight.shape.join("×"));
  fact(text("network.parameters"), counted(value.parameters));
  fact(text("network.products"), counted(value.products));
  fact(text("network.field"), everything ? text("network.everything")
    : text("network.sees", { size: size.join("×"), stride: stride.join("×") }));
  if (value.reads.length) fact(text("network.reads"), value.reads.map((k) => values[k].title).join(", "));
  return list;
}

/**
 * A table of all layers behind a summary, made when it is opened.
 * @param {Studio} studio
 */
export function layerTable({ text, state, network: { values } }) {
  const head = (/** @type {string} */ words, word = false) =>
    make("th", { scope: "col", class: word && "word", text: words });
  const cell = (/** @type {string} */ words, word = false) =>
    make("td", { class: word && "word", text: words });
  const row = (/** @type {import("./types.js").Value} */ value) => {
    const choose = () => state.set({ value: value.id, unit: "" }, { step: true });
    return make("tr", {},
      make("th", { scope: "row", class: "word" },
        make("button", { type: "button", class: "link", text: value.title, onclick: choose })),
      cell(value.kind, true), cell(value.shape.join("×")), cell(counted(value.parameters)),
      cell(counted(value.products)), cell(fieldOf(value)),
      cell(value.reads.map((k) => values[k].title).join(", ")));
  };
  const details = make("details", {}, make("summary", { text: text("image.table") }));
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    const heads = make("tr", {}, head(text("network.layer"), true), head(text("network.kind"), true),
      head(text("network.shape")), head(text("network.parameters")), head(text("network.products")),
      head(text("network.field")), head(text("network.reads")));
    const whole = make("table", { class: "numbers" },
      make("thead", {}, heads), make("tbody", {}, ...values.map(row)));
    details.append(make("div", {
      class: "scrolled", tabindex: 0, role: "region", "aria-label": text("network.title"),
    }, whole));
  });
  return details;
}
