// What a unit sees, back to the image; what it reaches, ahead to the scores; what excites its channel most.

import { make } from "../dom.js";
import { photograph } from "../colours.js";
import { chooseUnit, chosenUnit, chosenValue, unitName } from "../choice.js";
import { mostOf } from "../grids.js";
import { laidOut, oneMap } from "../layout.js";
import { lazily } from "../lazy.js";
import { mapFigure } from "../map_figure.js";
import { problem } from "../notices.js";
import { mountPatches } from "../patches.js";
import { counted, figure } from "../text.js";

/** @typedef {import("../types.js").Value} Value */
/** @typedef {{value: number, channels: number[], rows: number[] | null, columns: number[] | null, units?: number}} Box [first, end) */

const span = (/** @type {number[]} */ [first, end]) => (end - first > 1 ? `${figure(first, 7)} … ${figure(end - 1, 7)}` : figure(first, 7));

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const title = make("h3"), problems = make("div"), figures = make("div", { class: "columns" });
  const back = make("div", { class: "columns way" }), ahead = make("div", { class: "columns way" });
  const backTitle = make("h3"), aheadTitle = make("h3"), best = make("div", { class: "panel" });
  const unitFigure = mapFigure({ move, page, label: studio.text("unit.after-keys") });
  const imageFigure = mapFigure({ size: 320 });
  figures.append(imageFigure.element, unitFigure.element);
  element.append(title, problems, figures, make("section", { class: "panel" }, backTitle, back), make("section", { class: "panel" }, aheadTitle, ahead), best);
  const patches = mountPatches(best, studio);
  let lazy = lazily();
  let round = 0;
  /** @type {Awaited<ReturnType<typeof oneMap>> | null} */
  let map = null;

  const go = (/** @type {number[]} */ unit) => studio.state.set({ value: chosenValue(studio).id, unit: unit.join(".") });
  function move(/** @type {number} */ i, /** @type {number} */ j) {
    const value = chosenValue(studio), unit = map?.unit(i, j);
    if (unit && value.shape.length > 2) unit[0] = chosenUnit(studio, value)[0]; // the map may be that of the channel before
    if (unit) go(unit);
  }
  function page(/** @type {number} */ by) {
    const value = chosenValue(studio), lay = laidOut(value.shape), [c, i, j] = lay.place(chosenUnit(studio, value));
    if (c + by >= 0 && c + by < lay.channels) go(lay.unit(c + by, i, j));
  }

  async function draw() {
    const turn = ++round, { text, network, seen } = studio, value = chosenValue(studio), unit = chosenUnit(studio, value);
    title.textContent = unitName(value, unit);
    figures.hidden = !seen;
    try {
      const told = await studio.ask("field", { value: value.id, unit });
      const drawn = seen && await oneMap(studio, value, laidOut(value.shape).place(unit)[0]);
      if (turn !== round) return;
      problem(problems, null);
      const box = told.windows.find((/** @type {Box} */ each) => each.value === 0) ?? { value: 0, channels: [0, 0], rows: [0, 0], columns: [0, 0] };
      if (seen && drawn) {
        map = drawn;
        const { numbers, h, w, name, cell } = drawn;
        unitFigure.draw({ numbers, h, w, most: mostOf(numbers), cursor: cell(unit), caption: name, words: text("unit.map-words", { name, h, w, unit: unit.join(", ") }) });
        drawImage(value.id ? box : around(unit));
      }
      lazy.stop();
      lazy = lazily();
      const place = (/** @type {Box} */ { value: id, rows, columns }) => String([network.values[id].shape.slice(1), rows, columns]);
      // Of neighbours with the same box, as a convolution and what follows it pixel by pixel, the last one.
      const distinct = (/** @type {Box[]} */ boxes) => boxes.filter((box, k) => box.value > 0 && (!box.rows || !boxes[k + 1] || place(box) !== place(boxes[k + 1])));
      backTitle.textContent = text("field.back");
      aheadTitle.textContent = text("field.ahead");
      fill(back, distinct([...told.windows].reverse()), "field.none-back");
      fill(ahead, distinct(told.reaches), "field.none-ahead");
    } catch (error) {
      if (turn === round) problem(problems, error);
    }
  }

  const around = (/** @type {number[]} */ [c, i, j]) => ({ value: 0, channels: [c, c + 1], rows: [i, i + 1], columns: [j, j + 1] });

  // The image, with the field framed and the padding outside it.
  function drawImage(/** @type {any} */ { rows, columns }) {
    const seen = /** @type {import("../types.js").Seen} */ (studio.seen), [, h, w] = seen.numbers.shape, { text } = studio;
    const [top, bottom, left, right] = [-rows[0], rows[1] - h, -columns[0], columns[1] - w].map((n) => Math.max(n, 0));
    const [tall, wide] = [rows[1] - rows[0], columns[1] - columns[0]];
    const words = tall > 0 ? text("field.words", { h: tall, w: wide, rows: span(rows), columns: span(columns) }) : text("field.nothing");
    imageFigure.draw({
      picture: photograph(seen.numbers, studio.network.range), h, w, margin: [top, right, bottom, left],
      frames: tall > 0 ? [{ rows: [rows[0], 1, tall], columns: [columns[0], 1, wide] }] : [], words,
      caption: words + (top + bottom + left + right ? ` ${text("field.padding")}` : ""),
    });
  }

  /**
   * @param {HTMLElement} place
   * @param {Box[]} boxes
   * @param {"field.none-back" | "field.none-ahead"} none
   */
  function fill(place, boxes, none) {
    if (!boxes.length) return place.replaceChildren(make("p", { class: "note", text: studio.text(none) }));
    place.replaceChildren(...boxes.map((box) => {
      const holder = make("div", { class: "step" }), value = studio.network.values[box.value];
      holder.style.minHeight = "9rem";
      lazy.watch(holder, () => show(holder, box, value), () => holder.replaceChildren());
      return holder;
    }));
  }

  /** @param {HTMLElement} holder @param {Box} box @param {Value} value */
  async function show(holder, box, value) {
    const turn = round, { text } = studio, lay = laidOut(value.shape), { channels, rows, columns } = box;
    const small = mapFigure({ size: 110, move: (i, j) => { const unit = drawn?.unit(i, j); if (unit) chooseUnit(studio, value.id, unit, "field"); }, label: value.title });
    const drawn = studio.seen && await oneMap(studio, value, channels[0]).catch(() => null);
    if (turn !== round) return;
    const n = channels[1] - channels[0], of = box.units ?? n;
    const which = rows && columns ? text("field.box", { rows: span(rows), columns: span(columns), n: counted(n) })
      : text("field.row", { n: counted(of), of: counted(lay.channels) });
    const caption = make("figcaption", {}, make("button", { type: "button", class: "link", text: value.title, onclick: () => studio.state.set({ value: value.id, unit: "", view: "maps" }, { step: true }) }), make("br"), which);
    if (!drawn) return holder.replaceChildren(caption);
    const { numbers, h, w, name, cell } = drawn;
    let frame;
    if (lay.row) {
      const [first, last] = [cell([channels[0]]), cell([channels[1] - 1])], lines = last[0] - first[0];
      frame = { rows: [first[0], 1, lines + 1], columns: lines ? [0, 1, w] : [first[1], 1, last[1] - first[1] + 1] };
    } else {
      const [r, c] = value.shape.length === 2 ? [channels, rows ?? [0, 1]] : [rows ?? [0, 1], columns ?? [0, 1]];
      frame = { rows: [r[0], 1, r[1] - r[0]], columns: [c[0], 1, c[1] - c[0]] };
    }
    const over = (/** @type {number[]} */ span, /** @type {number} */ size) => Math.max(span[0] + span[2] - size, 0);
    const margin = [Math.max(-frame.rows[0], 0), over(frame.columns, w), over(frame.rows, h), Math.max(-frame.columns[0], 0)];
    small.caption.replaceWith(caption);
    holder.replaceChildren(small.element);
    small.draw({ numbers, h, w, most: mostOf(numbers), frames: [frame], margin, words: `${name}: ${which}` });
  }

  draw();
  return {
    update: (changed) => {
      if (changed.has("network")) lazy.stop(); // maps that come into view are of the one before
      if (["value", "unit", "network", "seen", "weights", "theme"].some((each) => changed.has(each))) draw();
      patches.update(changed);
    },
    dispose: () => {
      round++;
      lazy.stop();
      patches.dispose();
    },
  };
}
