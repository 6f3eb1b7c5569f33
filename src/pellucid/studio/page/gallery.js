// The images of a data set, with what the network takes them for.

import { make } from "./dom.js";
import { problem, progress } from "./notices.js";
import { counted } from "./text.js";

const PAGE = 48; // images of one question
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/**
 * @param {import("./types.js").Studio} studio
 * @param {(part: string, index: number) => void} choose
 */
export function galleryFor(studio, choose) {
  const { text } = studio;
  let part = "test", order = "mistakes", total = Infinity, loaded = 0, busy = false;
  const list = make("ul", { class: "cards" }), scrolled = make("div", { class: "scrolled shelf" }, list);
  const note = make("p", { class: "note" }), says = make("div");
  const orders = ["mistakes", "order"].map((each) => make("button", {
    type: "button", text: each === "order" ? text("image.in_order") : text("image.mistakes"),
    "aria-pressed": String(each === order), "data-order": each, onclick: () => { order = each; restart(); },
  }));
  const which = make("select", {
    hidden: true, "aria-label": text("image.part"), onchange: () => { part = which.value; restart(); },
  });
  const tools = make("div", { class: "tools" }, make("div", { class: "toggle" }, ...orders), which);
  const element = make("details", { class: "gallery" }, make("summary", { text: text("image.gallery") }),
    tools, says, note, scrolled);

  async function more() {
    if (busy || loaded >= total) return;
    busy = true;
    const asked = `${part} ${order}`, waiting = progress(says, text("image.looking"), studio);
    try {
      const found = await studio.ask("gallery", { part, order, start: loaded, count: PAGE }, waiting.options);
      if (asked !== `${part} ${order}`) return;
      problem(says, null);
      total = found.total;
      which.hidden = found.parts.length < 2;
      which.replaceChildren(...found.parts.map((/** @type {string} */ each) =>
        make("option", { value: each, text: text(`image.${each}`), selected: each === part })));
      loaded += found.indices.shape[0];
      note.textContent = text("image.count", { total: counted(total), wrong: counted(found.mistakes) });
      list.append(...cards(found));
      if (!list.querySelector("[tabindex='0']")) list.querySelector("button")?.setAttribute("tabindex", "0");
    } catch (error) {
      problem(says, error);
      total = 0;
    } finally {
      waiting.end();
      busy = false;
      if (asked !== `${part} ${order}`) more();
      else if (scrolled.clientHeight && scrolled.scrollHeight <= scrolled.clientHeight) more();
    }
  }

  /** @param {any} found */
  function cards({ indices, labels, guesses, confidences, pictures }) {
    const [, c, h, w] = pictures.shape, { classes } = studio.network, size = c * h * w;
    return Array.from(indices.data, (/** @type {number} */ index, k) => {
      const [label, guess] = [labels, guesses].map(({ data }) => classes[data[k]] ?? data[k]);
      const canvas = make("canvas", { width: w, height: h, class: "pixels", "aria-hidden": "true" });
      const bytes = pictures.data.subarray(k * size, (k + 1) * size);
      canvas.getContext("2d").putImageData(pixels(bytes, c, h, w), 0, 0);
      const right = labels.data[k] === guesses.data[k], share = (100 * confidences.data[k]).toFixed(0);
      const values = { index, label, guess, share };
      const words = right ? text("image.right", values) : text("image.wrong", values);
      return make("li", {}, make("button", {
        type: "button", class: "card", tabindex: -1, "data-index": index, "aria-label": words, title: words,
        onclick: () => choose(part, index),
      }, canvas, right ? label : make("span", { class: "plus", text: `${label} → ${guess}` })));
    });
  }

  function restart() {
    for (const button of orders) button.setAttribute("aria-pressed", String(button.dataset.order === order));
    [total, loaded] = [Infinity, 0];
    list.replaceChildren();
    scrolled.scrollTop = 0;
    more();
  }

  element.addEventListener("toggle", () => { if (element.open && !loaded) more(); });
  scrolled.addEventListener("scroll", () => {
    if (scrolled.scrollTop + 1.5 * scrolled.clientHeight > scrolled.scrollHeight) more();
  });
  list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const all = [...list.querySelectorAll("button")];
    const here = all.findIndex((each) => each === document.activeElement);
    const columns = all.filter((each) => each.offsetTop === all[0].offsetTop).length;
    const by = { ...STEPS, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (by === undefined || here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(here + by, 0), all.length - 1)];
    all[here].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  return { element };
}

/**
 * @param {Uint8Array} bytes (C, H, W)
 * @param {number} c
 * @param {number} h
 * @param {number} w
 */
export function pixels(bytes, c, h, w) {
  const image = new ImageData(w, h), n = h * w;
  for (let k = 0; k < n; k++) {
    for (let b = 0; b < 3; b++) image.data[4 * k + b] = bytes[k + (c === 3 ? b * n : 0)];
    image.data[4 * k + 3] = 255;
  }
  return image;
}
