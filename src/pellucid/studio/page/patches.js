// The nine parts of a data set's images that excite a channel most.

import { drawingOn, make } from "./dom.js";
import { photograph } from "./colours.js";
import { chosenUnit, chosenValue } from "./choice.js";
import { laidOut } from "./layout.js";
import { problem, progress } from "./notices.js";
import { figure } from "./text.js";

const SIZE = 96; // of a patch in CSS pixels

/**
 * Looks for them once a reader asks for it (`patches` in the state is the part of the data set); then
 * for each channel that is chosen.
 * @param {HTMLElement} element
 * @param {import("./types.js").Studio} studio
 * @returns {import("./types.js").View}
 */
export function mountPatches(element, studio) {
  const { state } = studio, title = make("h3"), tools = make("div", { class: "tools" }), list = make("ol", { class: "cards patches" });
  const problems = make("div");
  element.append(title, tools, problems, list);
  /** @type {ReturnType<typeof progress> | null} */
  let waiting = null;
  let shown = "";

  function furnish() {
    const { text, network } = studio, asked = state.get("patches");
    element.hidden = !network.data || !network.can.includes("patches") || chosenValue(studio).id === 0;
    title.textContent = text("field.patches", { title: chosenValue(studio).title, c: channel() });
    tools.replaceChildren(...["test", "train"].map((part) => make("button", {
      type: "button", text: text(`field.${part}`), "aria-pressed": String(part === asked),
      onclick: () => state.set({ patches: part === state.get("patches") ? "" : part }),
    })));
    tools.setAttribute("aria-label", text("field.find"));
  }
  const channel = () => {
    const value = chosenValue(studio);
    return value.shape.length === 2 ? chosenUnit(studio, value)[0] : laidOut(value.shape).place(chosenUnit(studio, value))[0];
  };

  async function look() {
    furnish();
    const part = state.get("patches"), value = chosenValue(studio), wanted = `${studio.network.id} ${value.id} ${channel()} ${part}`;
    if (wanted === shown) return;
    waiting?.cancel();
    shown = wanted;
    list.replaceChildren();
    problem(problems, null);
    if (!part || element.hidden) return;
    const mine = waiting = progress(problems, studio.text("field.looking"), studio);
    try {
      const found = await studio.ask("patches", { value: value.id, channel: channel(), count: 9, part }, mine.options);
      if (shown === wanted) list.replaceChildren(...cards(found, part));
    } catch (error) {
      if (shown === wanted) problem(problems, error);
    } finally {
      mine.end();
    }
  }

  /** @param {any} found @param {string} part */
  function cards({ values, indices, labels, pictures, inside }, part) {
    const [n, c, h, w] = pictures.shape, { text, network } = studio;
    return Array.from({ length: n }, (_, k) => {
      const canvas = make("canvas", { "aria-hidden": true }), index = indices.data[k], x = figure(values.data[k], 4);
      const image = photograph({ shape: [c, h, w], data: pictures.data.subarray(k * c * h * w, (k + 1) * c * h * w) }, [0, 255]);
      for (let p = 0; p < h * w; p++) if (!inside.data[k * h * w + p]) image.data[4 * p + 3] = 0; // padding
      const sheet = make("canvas", { width: w, height: h }), context = drawingOn(canvas, SIZE, SIZE * h / w);
      sheet.getContext("2d").putImageData(image, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(sheet, 0, 0, SIZE, SIZE * h / w);
      const label = labels ? network.classes[labels.data[k]] ?? "" : "";
      return make("li", {}, make("button", {
        type: "button", class: "card", "aria-label": text("field.patch", { n: k + 1, index, x, label }),
        onclick: () => state.set({ image: `${part}:${index}` }, { step: true }),
      }, canvas, make("span", { class: "number", text: x }), ` ${label}`));
    });
  }

  look();
  return {
    update: (changed) => {
      if (changed.has("weights")) shown = "";
      if (["value", "unit", "network", "patches", "weights"].some((each) => changed.has(each))) look();
    },
    dispose: () => { shown = ""; waiting?.cancel(); },
  };
}
