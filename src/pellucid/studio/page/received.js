// The image as the network gets it, with the number of each pixel.

import { photograph } from "./colours.js";
import { make, within } from "./dom.js";
import { asTable, numberTable } from "./table.js";
import { figure } from "./text.js";

/**
 * @param {import("./types.js").Studio} studio
 */
export function receivedFor(studio) {
  const canvas = make("canvas", { class: "pixels", role: "img" });
  const frame = make("span", { class: "cell", hidden: true });
  const stage = make("div", {
    class: "received", tabindex: 0, role: "application", "aria-label": studio.text("image.seen_keys"),
  }, canvas, frame);
  const how = make("p", { class: "note" }), reading = make("p", { class: "reading number", role: "status" });
  const table = make("div");
  const element = make("section", { class: "as-received" }, stage, make("div", {}, how, reading), table);
  /** @type {number[] | null} Row and column of the pixel that is read. */
  let at = null;

  function read() {
    const { seen, text } = studio;
    frame.hidden = !seen || !at;
    reading.classList.toggle("number", !frame.hidden);
    if (!seen || !at) {
      reading.textContent = seen ? text("image.read") : "";
      return;
    }
    const [c, h, w] = seen.numbers.shape, [i, j] = at;
    const numbers = Array.from({ length: c }, (_, k) => figure(seen.numbers.data[(k * h + i) * w + j], 4));
    reading.textContent = text("image.pixel", { row: i, column: j, numbers: numbers.join(", ") });
    Object.assign(frame.style, {
      left: `${(100 * j) / w}%`, top: `${(100 * i) / h}%`, width: `${100 / w}%`, height: `${100 / h}%`,
    });
  }

  /** @param {number} i @param {number} j */
  function point(i, j) {
    const [, h, w] = studio.network.input;
    at = [within(i, 0, h - 1), within(j, 0, w - 1)];
    read();
  }
  stage.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect(), scale = studio.network.input[2] / box.width;
    point(Math.floor((event.clientY - box.top) * scale), Math.floor((event.clientX - box.left) * scale));
  });
  for (const name of ["pointerleave", "blur"]) stage.addEventListener(name, () => { at = null; read(); });
  stage.addEventListener("focus", () => { if (!at) point(0, 0); });
  stage.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [i, j] = at ?? [0, 0];
    point(i + by[0], j + by[1]);
  });

  function update() {
    const { seen, text, network } = studio, [c, h, w] = network.input;
    element.hidden = !seen;
    if (!seen) return;
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    canvas.getContext("2d").putImageData(photograph(seen.numbers, network.range), 0, 0);
    const [low, high] = network.range.map((x) => figure(x));
    const size = `${c}×${h}×${w}`;
    const done = seen.how && `${seen.how[0].toUpperCase()}${seen.how.slice(1).replace(/\.?$/, ".")}`;
    how.textContent = `${text("image.got", { size, low, high })} ${done}`;
    canvas.setAttribute("aria-label", text("image.seen"));
    read();
    clearTimeout(later); // an open table follows once nothing is drawn for a moment
    const details = table.querySelector("details");
    if (details?.open) later = setTimeout(() => list(true), 300);
    else if (details?.childElementCount !== 1) list(false); // not yet there, or of another image
  }
  /** @type {any} */
  let later;

  /** @param {boolean} opened */
  function list(opened) {
    const { text, network: { input: [c, h, w] } } = studio;
    const channel = (/** @type {number} */ k) => // of the image when the table is opened
      numberTable(studio.seen?.numbers.data.subarray(k * h * w, (k + 1) * h * w) ?? [], h, w,
        { caption: text("image.channel", { k }), digits: 3 });
    const details = asTable(text("image.table"), () =>
      make("div", {}, ...Array.from({ length: c }, (_, k) => channel(k))));
    if (opened) details.setAttribute("open", "");
    table.replaceChildren(details);
  }
  update();
  return { element, update };
}
