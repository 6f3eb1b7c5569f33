// The network as a graph of volumes, with what each layer costs.

import { make } from "../dom.js";
import { fieldOf, graph } from "../graph.js";
import { counted, short } from "../text.js";

const ZOOMS = [0.5, 0.6, 0.75, 0.9, 1, 1.2, 1.5, 2, 2.5];
const GO_ON = ["maps", "unit", "field", "back"]; // views of a value

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state, text } = studio;
  const figure = make("div", { class: "scrolled wide" }), totals = make("p", { class: "lead" });
  const chosen = make("section", { class: "panel layer", "aria-live": "polite" }), table = make("div");
  const pressed = (/** @type {string} */ key, /** @type {string} */ words) => make("button", {
    type: "button", text: words, onclick: () => state.set({ [key]: state.get(key) ? "" : "1" }),
  });
  const every = pressed("every", text("network.every")), costs = pressed("costs", text("network.costs"));
  const zoom = (/** @type {number} */ by) => () => {
    const at = ZOOMS.indexOf(state.number("zoom") || 1), next = ZOOMS[Math.min(Math.max(at + by, 0), ZOOMS.length - 1)];
    state.set({ zoom: next === 1 ? "" : next });
  };
  const scale = make("output", { class: "number" });
  element.append(totals, make("div", { class: "tools" }, every, costs, make("span", { class: "gap" }),
    make("button", { type: "button", text: "−", "aria-label": text("network.smaller"), onclick: zoom(-1) }), scale,
    make("button", { type: "button", text: "+", "aria-label": text("network.larger"), onclick: zoom(1) })),
  figure, make("p", { class: "note", text: text("network.note") }), chosen, table);
  /** @type {ReturnType<typeof graph>} */
  let drawn;
  let wide = 0;

  function draw() {
    const by = state.number("zoom") || 1;
    wide = figure.clientWidth;
    drawn = graph(studio, { every: state.get("every") === "1", costs: state.get("costs") === "1", width: (wide - 4) / by });
    const { element: picture } = drawn;
    for (const side of ["width", "height"]) picture.setAttribute(side, Math.round(Number(picture.getAttribute(side)) * by));
    figure.replaceChildren(picture);
    scale.textContent = `${Math.round(100 * by)} %`;
    every.setAttribute("aria-pressed", String(state.get("every") === "1"));
    costs.setAttribute("aria-pressed", String(state.get("costs") === "1"));
  }

  function tell() {
    const { network } = studio, { values } = network;
    totals.textContent = text("network.totals", {
      name: network.title, layers: values.filter(({ weights }) => weights.length).length, count: values.length - 1,
      parameters: counted(network.parameters), products: short(values.reduce((sum, { products }) => sum + products, 0)),
    });
    const choose = (/** @type {number} */ id, /** @type {string} */ words) => make("button", {
      type: "button", class: "link", text: words, onclick: () => state.set({ value: id, unit: "" }, { step: true }),
    });
    const heads = [text("network.layer"), text("network.kind"), text("network.shape"), text("network.parameters"),
      text("network.products"), text("network.field"), text("network.reads")];
    const details = make("details", {}, make("summary", { text: text("image.table") }));
    details.addEventListener("toggle", () => {
      if (details.childElementCount > 1) return;
      details.append(make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("network.title") },
        make("table", { class: "numbers" },
          make("thead", {}, make("tr", {}, ...heads.map((words, k) => make("th", { scope: "col", class: k < 2 ? "word" : null, text: words })))),
          make("tbody", {}, ...values.map((each) => make("tr", {},
            make("th", { scope: "row", class: "word" }, choose(each.id, each.title)), make("td", { class: "word", text: each.kind }),
            make("td", { text: each.shape.join("×") }), make("td", { text: counted(each.parameters) }),
            make("td", { text: counted(each.products) }), make("td", { text: fieldOf(each) }),
            make("td", { text: each.reads.map((k) => values[k].title).join(", ") })))))));
    });
    table.replaceChildren(details);
  }

  function show() {
    const { network: { values } } = studio, value = values[state.number("value") || 0];
    drawn.mark();
    if (!value) return;
    const list = make("dl", { class: "facts" });
    const fact = (/** @type {string} */ words, /** @type {any} */ what) => list.append(make("div", {}, make("dt", { text: words }), make("dd", {}, what)));
    const size = value.shape.reduce((a, b) => a * b, 1);
    fact(text("network.shape"), `${value.shape.join("×")}${value.shape.length > 1 ? ` = ${counted(size)}` : ""}`);
    for (const { key, shape } of value.weights) fact(key, shape.join("×"));
    fact(text("network.parameters"), counted(value.parameters));
    fact(text("network.products"), counted(value.products));
    const { size: rows, stride, everything } = value.field;
    fact(text("network.field"), everything ? text("network.everything") : text("network.sees", { size: rows.join("×"), stride: stride.join("×") }));
    if (value.reads.length) fact(text("network.reads"), value.reads.map((k) => values[k].title).join(", "));
    const stage = values.filter(({ stage, id }) => stage === value.stage && id > 0);
    const button = (/** @type {string} */ words, /** @type {object} */ next, /** @type {object} */ more = {}) =>
      make("button", { type: "button", text: words, ...more, onclick: () => state.set({ ...next }, { step: true }) });
    const members = stage.length < 2 ? "" : make("div", { class: "toggle", role: "group", "aria-label": text("network.stage") },
      ...stage.map(({ id, title }) =>
        button(title, { value: id, unit: "" }, { "aria-pressed": String(id === value.id) })));
    chosen.replaceChildren(make("div", { class: "tools" },
      make("h3", { text: value.title }), make("span", { class: "number", text: value.repr }), make("span", { class: "gap" }),
      members, ...GO_ON.filter(studio.offers).map((view) => button(text(`${view}.title`), { view }))), list);
  }

  const observer = new ResizeObserver(() => {
    if (Math.abs(figure.clientWidth - wide) < 2) return;
    draw();
    show();
  });
  tell();
  draw();
  show();
  observer.observe(figure);
  return {
    update: (changed) => {
      if (changed.has("network")) tell();
      if (["network", "every", "costs", "zoom"].some((key) => changed.has(key))) draw();
      if (["network", "every", "costs", "zoom", "value"].some((key) => changed.has(key))) show();
    },
    dispose: () => observer.disconnect(),
  };
}
