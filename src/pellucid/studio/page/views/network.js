// The network as a graph of volumes, with what each layer costs.

import { chosenValue } from "../choice.js";
import { make, within } from "../dom.js";
import { graph } from "../graph.js";
import { layerFacts, layerTable } from "../layer_facts.js";
import { counted, short } from "../text.js";

const ZOOMS = [0.5, 0.6, 0.75, 0.9, 1, 1.2, 1.5, 2, 2.5];
const GO_ON = ["maps", "unit", "field", "back"]; // views of a value
const DRAWN_BY = ["network", "every", "costs", "zoom"];

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state, text } = studio, is = (/** @type {string} */ key) => state.get(key) === "1";
  /** @type {(words: string, onclick: () => void, more?: object) => HTMLElement} */
  const button = (words, onclick, more = {}) => make("button", { type: "button", text: words, onclick, ...more });
  const pressed = (/** @type {string} */ key, /** @type {string} */ words) =>
    button(words, () => state.set({ [key]: is(key) ? "" : 1 }));
  const every = pressed("every", text("network.every")), costs = pressed("costs", text("network.costs"));
  const zoom = (/** @type {number} */ by) => () => {
    const next = ZOOMS[within(ZOOMS.indexOf(state.number("zoom") || 1) + by, 0, ZOOMS.length - 1)];
    state.set({ zoom: next === 1 ? "" : next });
  };
  const scale = make("output", { class: "number" }), totals = make("p", { class: "lead" });
  const figure = make("div", { class: "scrolled wide" }), table = make("div");
  const chosen = make("section", { class: "panel layer", "aria-live": "polite" });
  element.append(totals,
    make("div", { class: "tools" }, every, costs, make("span", { class: "gap" }),
      button("−", zoom(-1), { "aria-label": text("network.smaller") }), scale,
      button("+", zoom(1), { "aria-label": text("network.larger") })),
    figure, make("p", { class: "note", text: text("network.note") }), chosen, table);
  /** @type {ReturnType<typeof graph>} */
  let drawn;
  let wide = 0;

  function draw() {
    const by = state.number("zoom") || 1;
    wide = figure.clientWidth;
    drawn = graph(studio, { every: is("every"), costs: is("costs"), width: (wide - 4) / by });
    const { element: picture } = drawn;
    for (const side of ["width", "height"])
      picture.setAttribute(side, Math.round(Number(picture.getAttribute(side)) * by));
    figure.replaceChildren(picture);
    scale.textContent = `${Math.round(100 * by)} %`;
    every.setAttribute("aria-pressed", String(is("every")));
    costs.setAttribute("aria-pressed", String(is("costs")));
  }

  function tell() {
    const { network } = studio, { values } = network;
    totals.textContent = text("network.totals", {
      name: network.title, count: values.length - 1, parameters: counted(network.parameters),
      layers: values.filter(({ weights }) => weights.length).length,
      products: short(values.reduce((sum, { products }) => sum + products, 0)),
    });
    table.replaceChildren(layerTable(studio));
  }

  function show() {
    const { network: { values } } = studio, value = chosenValue(studio);
    drawn.mark();
    const stage = values.filter(({ stage, id }) => stage === value.stage && id > 0);
    const choose = (/** @type {object} */ next) => () => state.set({ ...next }, { step: true });
    const members = make("div", { class: "toggle", role: "group", "aria-label": text("network.stage") },
      ...stage.map(({ id, title }) =>
        button(title, choose({ value: id, unit: "" }), { "aria-pressed": String(id === value.id) })));
    const views = GO_ON.filter(studio.offers).map((view) => button(text(`${view}.title`), choose({ view })));
    chosen.replaceChildren(make("div", { class: "tools" }, make("h3", { text: value.title }),
      make("span", { class: "number", text: value.repr }), make("span", { class: "gap" }),
      stage.length > 1 && members, ...views), layerFacts(studio, value));
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
      const again = DRAWN_BY.some((key) => changed.has(key));
      if (changed.has("network")) tell();
      if (again) draw();
      if (again || changed.has("value")) show();
    },
    dispose: () => observer.disconnect(),
  };
}
