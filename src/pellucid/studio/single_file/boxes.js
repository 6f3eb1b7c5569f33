// Which numbers of an input a unit reads, and what it reaches: the twin of
// pellucid.viz.analysis.dependence. Python tells of each axis how the output reads it: "same",
// "every", ["even", first, stride, extent, step] or ["cells", pairs, step, stride].
"use strict";

// The place in the axes of the input of a unit whose value has only those that are kept.
const along = ({ axes, kept }, unit, other) => (kept ? axes.map((_, a) => (kept.includes(a) ? unit[kept.indexOf(a)] : other)) : unit);

// The first and the last cell that the cells from `a` to `b` of the output read; null for nothing.
function backOn(axis, [a, b], size) {
  if (axis === "same") return [a, b];
  if (axis === "every") return [0, size - 1];
  if (axis[0] === "even") return [axis[1] + axis[2] * a, axis[1] + axis[2] * b + axis[3]];
  const [, cells, , stride] = axis, last = cells.length - 1;
  const beyond = (k) => {
    const near = Math.min(Math.max(k, 0), last), moved = (k - near) * stride;
    return [Math.floor(cells[near][0] + moved), Math.ceil(cells[near][1] + moved)];
  };
  const read = [...cells.slice(Math.max(a, 0), b + 1).filter(([m, n]) => m <= n), ...[a, b].filter((k) => k < 0 || k > last).map(beyond)];
  return read.length ? [Math.min(...read.map(([m]) => m)), Math.max(...read.map(([, n]) => n))] : null;
}

// The place of number `at` in an array of the shape.
const unraveled = (at, shape) => strides(shape).map((step, a) => Math.floor(at / step) % shape[a]);
const around = (places) => places[0].map((_, a) => [Math.min(...places.map((p) => p[a])), Math.max(...places.map((p) => p[a]))]);

// Calls f with the flat index of each number in a box of [first, last] pairs.
function withinBox(box, shape, f) {
  const sizes = box.map(([a, b]) => b - a + 1), steps = strides(shape);
  if (sizes.every((n) => n > 0)) walk(sizes, steps, box.reduce((at, [a], k) => at + a * steps[k], 0), f);
}

// The box of the input that a box of the output reads; null for nothing.
function backOf(node, k, box, shapes) {
  const reading = node.readings[k], shape = shapes[node.reads[k]];
  if (reading.everything) return shape.map((n) => [0, n - 1]);
  if (reading.axes) {
    const known = along(reading, box, [0, 0]), found = reading.axes.map((axis, a) => backOn(axis, known[a], shape[a]));
    return found.includes(null) ? null : found;
  }
  const from = sources(node, shapes), places = []; // copies
  const real = box.map(([a, b], axis) => [Math.max(a, 0), Math.min(b, node.shape[axis] - 1)]);
  withinBox(real, node.shape, (at) => { if (from[at] > 0) places.push(unraveled(from[at] - 1, shape)); });
  return places.length ? around(places) : null;
}

// For each number of a layer that moves numbers, the place of it among all inputs, from 1; 0: none.
function sources(node, shapes) {
  let end = 1;
  const numbered = node.reads.map((k) => {
    const d = Float32Array.from({ length: product(shapes[k]) }, (_, n) => end + n);
    end += d.length;
    return { s: shapes[k], d };
  });
  if (!node.line) return numbered[0].d;
  const y = new Float32Array(product(node.shape));
  F[node.line.name](y, node.shape, numbered, node.line.arrays, { ...node.line.options, value: 0 });
  return y;
}

// A box of [first, last] pairs as the page has it: [first, end).
const told = (value, box) => {
  const [channels = null, rows = null, columns = null] = box.map(([a, b]) => [a, b + 1]);
  return { value, channels, rows, columns };
};

// The windows of a unit back to the image, and what it reaches ahead.
function field(nodes, shapes, value, unit) {
  const boxes = new Map([[value, unit.map((k) => [k, k])]]);
  for (let made = value; made; made--) if (boxes.has(made)) nodes[made].reads.forEach((k, n) => {
    const box = backOf(nodes[made], n, boxes.get(made), shapes);
    if (!box) return;
    const known = boxes.get(k);
    boxes.set(k, known ? box.map(([a, b], axis) => [Math.min(a, known[axis][0]), Math.max(b, known[axis][1])]) : box);
  });
  boxes.delete(value);
  const windows = [...boxes].sort(([a], [b]) => b - a).map(([k, box]) => told(k, box));
  return { windows, reaches: reaches(nodes, shapes, value, unit) };
}

// NaN at a unit makes NaN of every number that depends on it.
function reaches(nodes, shapes, value, unit) {
  const start = new Float32Array(product(shapes[value])).fill(1);
  start[unit.reduce((at, k, a) => at + k * strides(shapes[value])[a], 0)] = NaN;
  const marked = new Map([[value, start]]), found = [];
  for (let made = value + 1; made < nodes.length; made++) {
    const { reads, line, shape } = nodes[made];
    if (!reads.some((k) => marked.has(k))) continue;
    const xs = reads.map((k) => ({ s: shapes[k], d: marked.get(k) ?? new Float32Array(product(shapes[k])).fill(1) }));
    const y = line ? new Float32Array(product(shape)) : xs[0].d;
    if (line) F[line.name](y, shape, xs, line.arrays, line.options);
    const low = shape.map(() => Infinity), high = shape.map(() => -1), steps = strides(shape);
    for (let at = 0; at < y.length; at++) {
      if (y[at] === y[at]) { y[at] = 1; continue; }
      for (let a = 0; a < shape.length; a++) {
        const k = Math.floor(at / steps[a]) % shape[a];
        if (k < low[a]) low[a] = k;
        if (k > high[a]) high[a] = k;
      }
    }
    if (high.some((k) => k < 0)) continue;
    marked.set(made, y);
    found.push(told(made, low.map((a, axis) => [a, high[axis]])));
  }
  return found;
}
