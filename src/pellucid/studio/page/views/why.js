// Why an image is taken for a class: three maps over it, each with its scale.

import { make } from "../dom.js";
import { drawHeat, heatBar } from "../heat.js";
import { problem, progress } from "../notices.js";
import { asTable, numberTable } from "../table.js";
import { figure } from "../text.js";

const METHODS = ["saliency", "grad_cam", "occlusion"], SIZE = 208;

/** The class that is asked about: the chosen one, or the one with the highest score. */
export function classOf(/** @type {import("../types.js").Studio} */ { state, seen, network }) {
  const chosen = state.number("class");
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < network.classes.length) return chosen;
  const scores = Array.from(seen?.scores.data ?? []);
  return scores.indexOf(Math.max(...scores));
}

/**
 * A select of the class, kept in the address.
 * @param {import("../types.js").Studio} studio
 */
export function classChoice({ text, state, network }) {
  const choice = make("select", { onchange: () => state.set({ class: choice.value }) },
    ...network.classes.map((name, k) => make("option", { value: k, text: name })));
  return { choice, label: make("label", { class: "why-class" }, text("why.class"), choice) };
}

/** @param {import("../types.js").Studio} studio */
export function whyPanel(studio) {
  const { text } = studio, maps = make("div", { class: "columns" }), { choice, label } = classChoice(studio);
  const hint = make("p", { class: "note", text: text("why.none") });
  const element = make("section", { class: "panel" }, make("h3", { text: text("why.title") }),
    make("p", { class: "lead", text: text("why.lead") }), make("div", { class: "tools" }, label), hint, maps);
  let asked = "";
  /** @type {ReturnType<typeof progress> | null} */
  let waiting = null;

  /** @param {boolean} [again]   Even if image and class are those that are shown. */
  async function draw(again) {
    const { seen, network } = studio, target = classOf(studio);
    hint.hidden = !!seen;
    label.hidden = !seen;
    if (!seen || target < 0) {
      asked = "";
      return maps.replaceChildren();
    }
    choice.value = String(target);
    const mine = `${network.id} ${seen.image} ${target}`;
    if (mine === asked && !again) return;
    asked = mine;
    waiting?.cancel();
    const figures = METHODS.map((method) => methodFigure(studio, method));
    maps.replaceChildren(...figures.map((each) => each.element));
    for (const { element: place, method, show } of figures) {
      const turn = waiting = progress(place, text("why.computing"), studio);
      try {
        const found = await studio.ask("why", { image: seen.image, class_: target, method }, turn.options);
        if (asked === mine) show(seen, found);
      } catch (error) {
        if (asked === mine) problem(place, error);
      } finally {
        turn.end();
      }
      if (asked !== mine) return;
    }
  }
  draw();
  return {
    element,
    update: (/** @type {Set<string>} */ changed) => {
      if (changed.has("weights") || changed.has("theme")) draw(true);
      else if (changed.has("seen") || changed.has("class")) draw();
    },
    dispose: () => { asked = ""; waiting?.cancel(); },
  };
}

/**
 * @param {import("../types.js").Studio} studio
 * @param {string} method
 */
function methodFigure({ text, network }, method) {
  const canvas = make("canvas", { role: "img", width: SIZE, height: SIZE, "aria-label": text(`why.${method}`) });
  const caption = make("figcaption"), legend = make("p", { class: "legend" }), more = make("div");
  const element = make("figure", { class: "why", "data-method": method }, make("h4", { text: text(`why.${method}`) }), canvas, legend, caption, more);

  /** @param {import("../types.js").Seen} seen @param {any} found */
  function show(seen, { map, low, high, layer, size, class: target }) {
    const [h, w] = map.shape, most = Math.max(Math.abs(low), Math.abs(high)), at = map.data.indexOf(high);
    drawHeat(canvas, seen.numbers, network.range, { map, most, smooth: method !== "saliency", size: SIZE });
    const [, height, width] = seen.numbers.shape;
    const place = { i: Math.floor(((Math.floor(at / w) + 0.5) * height) / h), j: Math.floor(((at % w) + 0.5) * width / w) };
    const words = most > 0 ? text("why.range", { low: figure(low), high: figure(high), ...place }) : text("why.zero");
    canvas.setAttribute("aria-label", `${text(`why.${method}`)}, ${network.classes[target]}. ${words}`);
    legend.hidden = !(most > 0);
    legend.replaceChildren(make("span", { class: "number", text: figure(Math.min(low, 0)) }), heatBar(Math.min(low, 0), Math.max(high, 0)),
      make("span", { class: "number", text: figure(Math.max(high, 0)) }));
    caption.replaceChildren(make("span", { class: "note", text: `${text(`why.${method}_says`, { layer: layer ?? "", size: size ?? "" })} ${words}` }));
    more.replaceChildren(asTable(text("why.table"), () => numberTable(map.data, h, w, { caption: text(`why.${method}`), digits: 3 })));
  }
  return { element, method, show };
}
