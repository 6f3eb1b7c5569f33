// The graph in small above the other views, so that a layer can be chosen from anywhere.

import { make, stillness } from "../dom.js";
import { graph } from "../graph.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const { state } = studio, shelf = make("div", { class: "shelf-of-layers" }), name = make("p", { class: "here" });
  element.append(make("div", { class: "strip" }, name, shelf));
  /** @type {ReturnType<typeof graph> | null} */
  let drawn = null;

  function draw() {
    element.hidden = state.get("view") === "network";
    if (element.hidden) return;
    if (!drawn) {
      drawn = graph(studio, { small: true });
      shelf.replaceChildren(drawn.element);
    }
    const box = drawn.mark(), { values } = studio.network, value = values[state.number("value") || 0] ?? values[0];
    name.replaceChildren(make("b", { text: value.title }), ` ${value.kind === value.title ? "" : value.kind} ${value.shape.join("×")}`);
    const here = box.getBBox();
    if (here.x < shelf.scrollLeft || here.x + here.width > shelf.scrollLeft + shelf.clientWidth)
      shelf.scrollTo({ left: here.x - shelf.clientWidth / 2, behavior: stillness() ? "auto" : "smooth" });
  }
  draw();
  return {
    update: (changed) => {
      if (changed.has("network") || changed.has("lang")) drawn = null;
      if (["network", "lang", "value", "view"].some((key) => changed.has(key))) draw();
    },
    dispose: () => {},
  };
}
