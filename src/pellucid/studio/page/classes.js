// The classes with their probabilities as bars, updated in place while a line is drawn.

import { make } from "./dom.js";

const MOST = 12; // classes that are listed in their order; of more, the likeliest
const LISTED = 10;

/**
 * @param {import("./types.js").Studio} studio
 */
export function classesFor(studio) {
  const { state, text, network: { classes } } = studio, many = classes.length > MOST;
  const list = make("ol", { class: "classes", role: "list", "aria-label": text("image.classes") });
  const words = text("image.search", { count: classes.length });
  const search = make("input", { type: "search", placeholder: words, "aria-label": words, oninput: update });
  const element = make("section", { class: "answer" }, many && search, list);
  const rows = Array.from({ length: many ? LISTED : classes.length }, () => {
    const name = make("span", { class: "name" }), filled = make("i"), share = make("span", { class: "number" });
    const button = make("button", { type: "button", onclick: choose }, name,
      make("span", { class: "track" }, filled), share);
    const item = make("li", {}, button), row = { item, button, name, share, filled, k: -1 };
    function choose() { state.set({ class: state.number("class") === row.k ? "" : row.k }); }
    list.append(item);
    return row;
  });

  /** @returns {number[]} the classes to list */
  function listed(/** @type {ArrayLike<number>} */ shares) {
    const all = classes.map((_, k) => k), wanted = search.value.trim().toLowerCase();
    if (!many) return all;
    const found = wanted ? all.filter((k) => classes[k].toLowerCase().includes(wanted)) : all;
    return found.sort((a, b) => shares[b] - shares[a]).slice(0, LISTED);
  }

  function update() {
    element.hidden = !studio.seen && many;
    const { seen } = studio, shares = seen?.probabilities?.data ?? new Float32Array(classes.length);
    const best = seen ? shares.indexOf(Math.max(...shares)) : -1, chosen = state.number("class");
    const which = listed(shares);
    rows.forEach((row, place) => {
      const k = which[place];
      row.item.hidden = k === undefined;
      if (k === undefined) return;
      if (row.k !== k) {
        row.k = k;
        row.name.textContent = row.button.title = classes[k];
      }
      const words = seen ? `${(100 * shares[k]).toFixed(1)} %` : "";
      if (row.share.textContent !== words) row.share.textContent = words;
      row.filled.style.width = `${100 * shares[k]}%`;
      row.item.classList.toggle("best", k === best);
      row.item.classList.toggle("label", k === seen?.label);
      row.button.setAttribute("aria-pressed", String(k === chosen));
    });
  }

  update();
  return { element, update };
}

/**
 * The answer in a sentence, for those who listen.
 * @param {import("./types.js").Studio} studio
 */
export function answerInWords({ seen, network: { classes }, text }) {
  if (!seen?.probabilities) return "";
  const shares = seen.probabilities.data;
  return Array.from(shares, (_, k) => k).sort((a, b) => shares[b] - shares[a]).slice(0, 3)
    .map((k) => text("image.share", { name: classes[k], share: (100 * shares[k]).toFixed(1) })).join(", ");
}
