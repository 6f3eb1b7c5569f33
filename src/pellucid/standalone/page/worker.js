// Runs the network beside the page, so that the page stays responsive.
"use strict";
const SHOWN = 8, LARGEST = 56, STRIP = 200, KEPT = 64; // maps in an overview, their pixels, numbers, maps of a close look
let network, values = []; // of each line: the first maps, for a close look

function load(found, base64) {
  network = found;
  network.arrays = arraysOf(found.weights, base64);
}

// The output for an image's numbers; `told(k)` hears of each line that is done.
function run(x, told = () => {}) {
  const { lines, output } = network, found = [{ s: network.shape, d: x }], last = {};
  lines.forEach(([, , , reads], k) => reads.forEach((r) => { last[r] = k; }));
  values = [];
  lines.forEach(([, , name, reads, keys, options, s], k) => {
    const y = { s, d: new Float32Array(product(s)) }, arrays = {};
    for (const [argument, key] of Object.entries(keys)) arrays[argument] = network.arrays[key];
    F[name](y.d, s, reads.map((r) => found[r]), arrays, options);
    found.push(y);
    values.push(kept(y));
    for (const r of reads) if (last[r] === k && r !== output) found[r] = null; // frees its memory
    told(k);
  });
  return found[output].d;
}

// The first maps (C, H, W) of a value with their range; of a row of numbers, one map.
function kept({ s, d }) {
  const [c, h, w] = s.length === 3 ? s : [1, 1, d.length], maps = d.slice(0, Math.min(c, KEPT) * h * w);
  let low = Infinity, high = -Infinity;
  for (const v of d) { if (v < low) low = v; if (v > high) high = v; }
  return { c, h, w, maps, low, high, row: h * w === 1 || s.length !== 3 };
}

// Bytes of shades: black is 0 if nothing is below, else middle grey.
function shade(v, { low, high }) {
  return low >= 0 ? (high > 0 ? (255 * v) / high : 0) : 127.5 * (1 + v / Math.max(-low, high));
}

// Of a row of numbers its first ones, of maps the first, reduced to a few pixels.
function overview(value) {
  const { c, h, w, maps, row } = value;
  if (row) return { h: 1, w: Math.min(w, STRIP), bytes: Uint8ClampedArray.from(maps.subarray(0, STRIP), (v) => shade(v, value)) };
  const step = Math.ceil(Math.max(h, w) / LARGEST), count = Math.min(c, SHOWN);
  const th = Math.ceil(h / step), tw = Math.ceil(w / step), bytes = new Uint8ClampedArray(count * th * tw);
  for (let k = 0; k < count; k++) for (let i = 0; i < th; i++) for (let j = 0; j < tw; j++) {
    let sum = 0, n = 0;
    for (let y = i * step; y < Math.min(h, (i + 1) * step); y++) for (let x = j * step; x < Math.min(w, (j + 1) * step); x++, n++)
      sum += maps[(k * h + y) * w + x];
    bytes[(k * th + i) * tw + j] = shade(sum / n, value);
  }
  return { h: th, w: tw, bytes };
}

const answers = {
  load: ({ found, base64 }) => {
    load(found, base64);
    const numbers = network.lines.reduce((n, line) => n + product(line[6]), 0);
    if (numbers < 1e6) run(new Float32Array(product(network.shape))); // compiles the functions
    return {};
  },
  run: ({ picture }) => {
    const { image, how } = prepare(picture, network.preparation);
    let before = performance.now();
    const scores = run(Float32Array.from(image, (v) => v / 255), (k) => {
      if (performance.now() - before < 150) return;
      before = performance.now();
      postMessage({ done: (k + 1) / network.lines.length });
    });
    return { image, how, scores, maps: values.map(({ low, high, row }, k) => ({ low, high, row, view: overview(values[k]) })) };
  },
  look: ({ k }) => {
    const { h, w, maps } = values[k], bytes = Uint8ClampedArray.from(maps, (v) => shade(v, values[k]));
    return { k, h, w, bytes };
  },
};

onmessage = ({ data }) => {
  try {
    postMessage({ about: data.do, ...answers[data.do](data) });
  } catch (error) {
    postMessage({ about: "error", text: String(error) });
  }
};
