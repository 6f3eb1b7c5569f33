// The graph in small above the other views, so that a layer can be chosen from anywhere.

import { chosenValue } from "../choice.js";
import { make, stillness } from "../dom.js";
import { graph } from "../graph.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const shelf = make("div"), here = make("p");
  element.append(make("section", { class: "overview" }, here, shelf));
  /** @type {ReturnType<typeof graph>} */
  let drawn;

  function draw() {
    drawn = graph(studio, { small: true });
    shelf.replaceChildren(drawn.element);
    mark();
  }

  function mark() {
    const { x, thick, back } = drawn.mark(), { title, kind, shape } = chosenValue(studio);
    here.replaceChildren(make("b", { text: title }), ` ${kind === title ? "" : kind} ${shape.join("×")}`);
    if (x < shelf.scrollLeft || x + thick + back > shelf.scrollLeft + shelf.clientWidth)
      shelf.scrollTo({ left: x - shelf.clientWidth / 2, behavior: stillness() ? "auto" : "smooth" });
  }

  draw();
  return {
    update: (changed) => {
      if (changed.has("network") || changed.has("lang")) draw();
      else if (changed.has("value") || changed.has("view")) mark();
    },
    dispose: () => {},
  };
}
