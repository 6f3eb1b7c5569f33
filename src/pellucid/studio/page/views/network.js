// The network as a graph of volumes.

import { make } from "../dom.js";
import { counted } from "../text.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const list = make("ol", { class: "layers" });
  element.append(list);
  function draw() {
    list.replaceChildren(...studio.network.values.map((value) =>
      make("li", {}, make("button", { type: "button", onclick: () => studio.state.set({ value: value.id, view: "maps", unit: "" }, { step: true }) },
        `${value.title} ${value.kind} ${value.shape.join("×")} ${counted(value.parameters)}`))));
  }
  draw();
  return { update: (changed) => { if (changed.has("network")) draw(); }, dispose: () => {} };
}
