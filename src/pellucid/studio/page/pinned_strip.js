// What a network in training makes of one image: a column of probabilities for each look at it.

import { cssColour } from "./colours.js";
import { drawingOn, make } from "./dom.js";
import { asTable } from "./table.js";
import { counted } from "./text.js";

const LOOKS = 400, MOST = 12, HIGH = 16; // columns; classes; height of a class

/** @param {import("./types.js").Studio} studio */
export function pinnedStrip(studio) {
  const { text } = studio, canvas = make("canvas", { role: "img", "aria-label": text("training.pinned") }), note = make("p", { class: "note" });
  const element = make("section", { class: "panel" }, make("h3", { text: text("training.pinned") }), note, canvas,
    asTable(text("training.as_table"), () => table()));
  /** @type {{step: number, shares: number[]}[]} */
  let looks = [];

  /** The likeliest classes at last, in their order. */
  function listed() {
    const last = looks[looks.length - 1].shares;
    return last.map((_, k) => k).sort((a, b) => last[b] - last[a]).slice(0, MOST).sort((a, b) => a - b);
  }

  function draw() {
    note.textContent = text(looks.length ? "training.pinned_note" : "training.pin_first");
    canvas.hidden = !looks.length;
    if (!looks.length) return;
    const { classes } = studio.network, rows = listed(), width = Math.max(200, Math.min(element.clientWidth - 34, 720));
    const context = drawingOn(canvas, width, rows.length * HIGH), style = getComputedStyle(canvas);
    context.font = `12px ${style.getPropertyValue("--letters")}`;
    context.textBaseline = "middle";
    context.fillStyle = style.getPropertyValue("--ink");
    const left = 8 + Math.min(Math.max(...rows.map((k) => context.measureText(classes[k]).width)), 120);
    rows.forEach((k, row) => context.fillText(classes[k], 0, (row + 0.5) * HIGH, left - 6));
    const wide = (width - left) / looks.length;
    looks.forEach(({ shares }, place) => rows.forEach((k, row) => {
      context.fillStyle = cssColour(shares[k], 1);
      context.fillRect(left + place * wide, row * HIGH, wide + 0.6, HIGH - 1);
    }));
    const { step, shares } = looks[looks.length - 1], best = shares.indexOf(Math.max(...shares));
    canvas.setAttribute("aria-label", best < 0 ? text("training.pinned") : text("training.pinned_says", { step: counted(step), name: classes[best], share: (100 * shares[best]).toFixed(1) }));
  }

  function table() {
    const rows = looks.length ? listed() : [], { classes } = studio.network, some = looks.slice(-24);
    return make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("training.pinned") },
      make("table", { class: "numbers" }, make("thead", {}, make("tr", {}, make("th", { scope: "col", text: text("training.at_step") }), ...rows.map((k) => make("th", { scope: "col", text: classes[k] })))),
        make("tbody", {}, ...some.map(({ step, shares }) => make("tr", {}, make("th", { scope: "row", text: counted(step) }), ...rows.map((k) => make("td", { text: `${(100 * shares[k]).toFixed(1)} %` })))))));
  }

  return {
    element, draw,
    /**
     * @param {number} step
     * @param {number[]} shares
     */
    add(step, shares) {
      if (looks[looks.length - 1]?.step === step) looks.pop();
      looks.push({ step, shares });
      if (looks.length > LOOKS) looks = looks.filter((_, k) => k % 2 === 1);
    },
    cut: (/** @type {number} */ step) => { looks = looks.filter((each) => each.step <= step); },
    clear: () => { looks = []; },
  };
}
