// The loss of each batch and the accuracies of each epoch, over the steps of a training.

import { drawingOn, make } from "./dom.js";
import { asTable } from "./table.js";
import { counted, figure } from "./text.js";

const LEFT = 52, RIGHT = 10, TOP = 8, BOTTOM = 24, HIGH = 210;

/**
 * A training as its curve needs it: the loss `ys[k]` at step `xs[k]`; `batches` are those of an epoch.
 * @typedef {{xs: number[], ys: number[], batches: number, steps: number, records: any[]}} Course
 * @typedef {import("./types.js").Studio} Studio
 */

/**
 * @param {Studio} studio
 * @param {() => Course} course
 */
export function lossCurve(studio, course) {
  const { text, state } = studio, words = { role: "img" };
  const loss = make("canvas", words), accuracy = make("canvas", words), holder = make("div", { class: "curves" });
  const logarithmic = make("input", { type: "checkbox", onchange: () => state.set({ log: logarithmic.checked ? "" : "no" }) });
  const legend = make("p", { class: "legend" }), tables = make("div");
  const headed = (/** @type {string} */ key, /** @type {Node} */ canvas, /** @type {Node[]} */ ...more) =>
    make("figure", {}, make("figcaption", { class: "tools" }, make("h4", { text: text(key) }), ...more), canvas);
  holder.append(headed("training.loss", loss, make("label", {}, logarithmic, text("training.log"))),
    headed("training.accuracy", accuracy, legend), tables);
  const watching = new ResizeObserver(draw);
  watching.observe(holder);

  function draw() {
    const { xs, ys, batches, steps, records } = course(), width = Math.max(holder.clientWidth, 240), log = state.get("log") !== "no";
    logarithmic.checked = log;
    const last = Math.max(steps, batches, 1), points = means(xs, ys, last, Math.round(width / 3));
    const heights = points.flatMap(({ low, high }) => [low, high]).filter((y) => y < Infinity && (!log || y > 0));
    const range = heights.length ? [Math.min(...heights), Math.max(...heights)] : [0.1, 1];
    const first = log ? Math.min(range[0], range[1] / 4) : 0, most = range[1] || 1;
    const curve = plot(loss, width, last, batches, first, most, log, text("training.epoch"));
    curve.band(points);
    curve.line(points.map(({ x, mean }) => [x, mean]), "--accent", false);
    const smooth = points[points.length - 1]?.mean;
    loss.setAttribute("aria-label", text("training.loss_says", { steps: counted(steps), first: figure(points[0]?.mean ?? NaN), last: figure(smooth ?? NaN) }));

    const shares = records.flatMap((each) => [each.train_accuracy, each.accuracy ?? each.train_accuracy]);
    const floor = shares.length ? Math.min(Math.floor(10 * Math.min(...shares)) / 10, 0.9) : 0;
    const grades = plot(accuracy, width, last, batches, floor, 1, false, text("training.epoch"), true);
    grades.line(records.map((each) => [each.epoch * batches, each.train_accuracy]), "--accent", true);
    grades.line(records.filter((each) => each.accuracy !== null).map((each) => [each.epoch * batches, each.accuracy]), "--plus", true, true);
    const end = records[records.length - 1], share = (/** @type {number | null} */ x) => x === null ? "–" : `${(100 * x).toFixed(2)} %`;
    const held = text(`training.${end?.role ?? "test"}`);
    legend.replaceChildren(make("span", { class: "key-train", text: `● ${text("training.train")}` }), make("span", { class: "key-held", text: `◆ ${held}` }));
    accuracy.setAttribute("aria-label", end ? text("training.accuracy_says", { epoch: end.epoch, train: share(end.train_accuracy), held: share(end.accuracy), role: held }) : text("training.no_epoch"));
    if (tables.dataset.rows !== `${records.length} ${end?.loss}`) {
      tables.dataset.rows = `${records.length} ${end?.loss}`;
      const open = tables.querySelector("details")?.open, table = asTable(text("training.as_table"), () => epochTable(records, share));
      table.open = Boolean(open);
      tables.replaceChildren(table);
    }
  }

  /**
   * @param {any[]} records
   * @param {(x: number | null) => string} share
   */
  const epochTable = (records, share) => make("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": text("training.as_table") },
    make("table", { class: "numbers" }, make("thead", {}, make("tr", {}, ...["epoch", "loss", "train", records[records.length - 1]?.role ?? "test"].map((key) => make("th", { scope: "col", text: text(`training.${key}`) })))),
      make("tbody", {}, ...records.map((each) => make("tr", {}, make("th", { scope: "row", text: each.epoch }),
        ...[figure(each.loss, 4), share(each.train_accuracy), share(each.accuracy)].map((words) => make("td", { text: words })))))));

  return { element: holder, draw, dispose: () => watching.disconnect() };
}

/**
 * The axes of a plot, and what draws into them.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} last   The last step.
 * @param {number} batches
 * @param {number} first
 * @param {number} most
 * @param {boolean} log
 * @param {string} below   What the horizontal axis counts.
 */
function plot(canvas, width, last, batches, first, most, log, below, percent = false) {
  const context = drawingOn(canvas, width, HIGH), style = getComputedStyle(canvas);
  const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim(), grade = log ? Math.log10 : (/** @type {number} */ y) => y;
  const low = grade(first), span = grade(most) - low || 1, right = width - RIGHT, bottom = HIGH - BOTTOM;
  const x = (/** @type {number} */ step) => LEFT + (step / last) * (right - LEFT);
  const y = (/** @type {number} */ number) => bottom - ((grade(number) - low) / span) * (bottom - TOP);
  context.font = `11px ${ink("--numbers")}`;
  context.textBaseline = "middle";
  for (const number of ticks(first, most, log)) {
    context.fillStyle = ink("--line");
    context.fillRect(LEFT, Math.round(y(number)), right - LEFT, 1);
    context.fillStyle = ink("--soft");
    context.textAlign = "right";
    context.fillText(percent ? `${Math.round(100 * number)} %` : figure(number, 2), LEFT - 6, y(number));
  }
  const epochs = last / batches, every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((k) => epochs / k <= (right - LEFT) / 46) ?? 2000;
  context.textAlign = "left";
  context.fillStyle = ink("--soft");
  context.fillText(below, 0, HIGH - 9, LEFT - 10);
  context.textAlign = "center";
  for (let epoch = 0; epoch <= epochs; epoch += every) {
    context.fillStyle = ink("--line");
    context.fillRect(Math.round(x(epoch * batches)), TOP, 1, bottom - TOP + 4);
    context.fillStyle = ink("--soft");
    context.fillText(String(epoch), x(epoch * batches), HIGH - 9);
  }
  return {
    /** @param {{x: number, low: number, high: number}[]} points */
    band(points) {
      context.fillStyle = ink("--edge");
      context.globalAlpha = 0.35;
      for (const { x: step, low: from, high: to } of points)
        if (to > 0 || !log) context.fillRect(x(step) - 1, y(to), 2, Math.max(1, y(Math.max(from, first)) - y(to)));
      context.globalAlpha = 1;
    },
    /**
     * @param {number[][]} points
     * @param {string} colour
     * @param {boolean} dots
     */
    line(points, colour, dots, square = false) {
      context.strokeStyle = context.fillStyle = ink(colour);
      context.lineWidth = 2;
      context.beginPath();
      for (const [step, number] of points) if (number < Infinity && (number > 0 || !log)) context.lineTo(x(step), y(number));
      context.stroke();
      if (dots) for (const [step, number] of points) {
        context.save();
        context.translate(x(step), y(number));
        if (square) context.rotate(Math.PI / 4);
        context.fillRect(-3, -3, 6, 6);
        context.restore();
      }
    },
  };
}

/**
 * The mean, the smallest and the largest loss of each of `places` stretches of equal length.
 * @param {number[]} xs
 * @param {number[]} ys
 * @param {number} last
 * @param {number} places
 */
export function means(xs, ys, last, places) {
  /** @type {{x: number, mean: number, low: number, high: number, n: number}[]} */
  const found = [];
  let at = -1;
  for (let k = 0; k < xs.length; k++) {
    const place = Math.floor((xs[k] / last) * places), y = ys[k];
    if (place !== at) found.push({ x: 0, mean: 0, low: y, high: y, n: 0 });
    at = place;
    const point = found[found.length - 1], n = ++point.n;
    point.x += (xs[k] - point.x) / n;
    point.mean += (y - point.mean) / n;
    point.low = Math.min(point.low, y);
    point.high = Math.max(point.high, y);
  }
  return found;
}

/** Round numbers between two. */
export function ticks(/** @type {number} */ first, /** @type {number} */ most, log = false) {
  const found = [];
  if (log) {
    const factors = most / first > 100 ? [1] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(first)); power <= Math.log10(most); power++)
      for (const factor of factors) found.push(factor * 10 ** power);
  } else {
    const rough = (most - first) / 4, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * /** @type {number} */ ([1, 2, 5, 10].find((k) => k * unit >= rough) ?? 10);
    for (let k = Math.ceil(first / step); k * step <= most * (1 + 1e-9); k++) found.push(k * step);
  }
  return found.filter((each) => each >= first * (1 - 1e-9) && each <= most * (1 + 1e-9));
}
