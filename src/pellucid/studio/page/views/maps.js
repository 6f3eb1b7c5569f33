// The feature maps of a value: all channels, on one scale or each on its own.

import { make, drawingOn, eachFrame } from "../dom.js";
import { isDark, photograph, signedColours } from "../colours.js";
import { chooseUnit, chosenValue, unitName } from "../choice.js";
import { askMaps, isUnit, laidOut } from "../layout.js";
import { MapSheet } from "../map_sheet.js";
import { problem } from "../notices.js";
import { asTable, numberTable } from "../table.js";
import { counted, figure } from "../text.js";

/** @type {import("./index.js").Entry["mount"]} */
export function mount(element, studio) {
  const title = make("h3"), note = make("p", { class: "note" }), legend = make("div", { class: "legend" });
  const readout = make("output", { class: "readout" }), tools = make("div", { class: "tools" });
  const tables = make("div"), problems = make("div");
  const sheet = new MapSheet(studio, {
    choose: (c, i, j) => { const { id, shape } = chosenValue(studio); chooseUnit(studio, id, laidOut(shape).unit(c, i, j)); },
    read: (c, i, j, x) => {
      const value = chosenValue(studio), unit = laidOut(value.shape).unit(c, i, j);
      const named = value.id === studio.network.outputs[0] && value.shape.length === 1 ? ` ${studio.network.classes[c] ?? ""}` : "";
      readout.textContent = `${unitName(value, unit)}${named} = ${x === undefined ? "…" : figure(x, 6)}`;
      if (document.activeElement === sheet.element) studio.announce(readout.textContent);
    },
    range: (low, high) => drawLegend(low, high),
    problem: (error) => problem(problems, error),
  });
  element.append(title, note, tools, make("div", { class: "under-tools" }, legend, readout), problems, sheet.element, tables);

  const set = (/** @type {any} */ given) => studio.state.set(given);
  function furnish() {
    const { text, state } = studio, value = chosenValue(studio), { row } = laidOut(value.shape), tile = tileOf(value);
    title.textContent = value.title;
    note.textContent = `${value.repr || value.kind} · ${value.shape.join(" × ")} · ${text(row ? "maps.numbers" : "maps.channels", { n: counted(value.shape[0]) })}`;
    sheet.element.setAttribute("aria-label", text(row ? "maps.keys-row" : "maps.keys"));
    const scale = make("select", { onchange: (/** @type {any} */ e) => set({ scale: e.target.value }) },
      ...["one", "own"].map((each) => make("option", { value: each, text: text(`maps.${each}`), selected: each === (state.get("scale") || "one") })));
    const size = make("input", { type: "range", min: 24, max: 320, step: 8, value: tile, oninput: eachFrame((e) => set({ tile: e.target.value })) });
    const over = make("input", { type: "checkbox", checked: state.get("over") === "1", onchange: (/** @type {any} */ e) => set({ over: e.target.checked ? "1" : "" }) });
    tools.replaceChildren(...(row ? [] : [make("label", {}, text("maps.scale"), scale), make("label", {}, text("maps.size"), size),
      studio.seen && make("label", {}, over, text("maps.over"))].filter(Boolean)));
    table(value);
  }

  function table(/** @type {import("../types.js").Value} */ value) {
    const { channels, h, w, row } = laidOut(value.shape), { text } = studio;
    const which = make("input", { type: "number", min: 0, max: channels - 1, value: 0, "aria-label": text("maps.channel"), onchange: fill });
    const place = make("div");
    async function fill() {
      const c = Math.min(Math.max(Math.round(Number(which.value)) || 0, 0), channels - 1);
      const found = await askMaps(studio, value.id, row ? 0 : c, row ? channels : 1);
      if (!row) return place.replaceChildren(numberTable(found.numbers(0), h, w, { caption: `${value.title}[${channels > 1 ? c : ""}]` }));
      const all = Array.from({ length: Math.ceil(channels / 10) * 10 }, (_, k) => (k < channels ? found.numbers(k)[0] : NaN));
      place.replaceChildren(numberTable(all, all.length / 10, 10, { caption: value.title, row: "10 · i", column: "j" }));
    }
    tables.replaceChildren(asTable(text("maps.as-table"), () => { fill(); return make("div", {}, !row && channels > 1 && make("label", {}, text("maps.channel"), which), place); }));
  }

  function drawLegend(/** @type {number} */ low, /** @type {number} */ high) {
    const { text } = studio, own = studio.state.get("scale") === "own" && !laidOut(chosenValue(studio).shape).row, most = Math.max(-low, high, 0);
    const canvas = make("canvas", { role: "img", "aria-label": text("maps.legend", { most: figure(most) }) }), context = drawingOn(canvas, 170, 12);
    const bar = make("canvas", { width: 511, height: 1 }), image = new ImageData(511, 1);
    new Uint32Array(image.data.buffer).set(signedColours(isDark()));
    bar.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(bar, 0, 0, 170, 12);
    const ends = own ? [text("maps.own-low"), text("maps.own-high")] : [figure(-most), figure(most)];
    legend.replaceChildren(make("span", { text: ends[0] }), canvas, make("span", { text: ends[1] }),
      make("span", { class: "note", text: text("maps.range", { low: figure(low, 4), high: figure(high, 4) }) }));
  }

  const tileOf = (/** @type {import("../types.js").Value} */ value) =>
    studio.state.number("tile") || Math.min(Math.max(...value.shape.slice(1), 80), value.shape.length === 2 ? 480 : 160);

  /** The image as it lies under the maps of a value. */
  function under() {
    const value = chosenValue(studio), { row, h, w } = laidOut(value.shape);
    if (!studio.seen || row || value.shape.length !== 3 || studio.state.get("over") !== "1") return null;
    const [, height, width] = studio.network.input, { size, stride, start, everything } = value.field;
    const sheetOf = make("canvas", { width, height });
    sheetOf.getContext("2d").putImageData(photograph(studio.seen.numbers, studio.network.range), 0, 0);
    if (everything) return sheetOf;
    // Cell (i, j) lies over the middle of its field: this part of the image lies under the map.
    const [y, x] = [0, 1].map((axis) => start[axis] + (size[axis] - stride[axis]) / 2);
    const part = make("canvas", { width: Math.max(w, Math.round(w * stride[1])), height: Math.max(h, Math.round(h * stride[0])) });
    part.getContext("2d").drawImage(sheetOf, x, y, w * stride[1], h * stride[0], 0, 0, part.width, part.height);
    return part;
  }

  function show() {
    problem(problems, null);
    furnish();
    const value = chosenValue(studio), unit = studio.state.unit();
    sheet.element.hidden = !studio.seen;
    if (!studio.seen) { note.textContent = studio.text("maps.no-image"); return; }
    sheet.show({ value, tile: tileOf(value), own: studio.state.get("scale") === "own", under: under(), unit: isUnit(unit, value.shape) ? unit : null });
  }

  let width = 0;
  const watched = new ResizeObserver(() => { if (element.clientWidth !== width) { width = element.clientWidth; show(); } });
  watched.observe(element);
  return {
    update: (changed) => {
      const laid = ["value", "network", "scale", "tile", "over", "lang", "theme", "unit"].some((each) => changed.has(each));
      if (laid || sheet.element.hidden || (changed.has("seen") && studio.state.get("over") === "1")) show();
      else if (changed.has("seen") || changed.has("weights")) sheet.refresh();
    },
    dispose: () => { watched.disconnect(); sheet.dispose(); },
  };
}
