// A picture becomes an image of the network, by the same steps, and to the same bytes, as in Python.
"use strict";
const clamp = (x, low, high) => (x < low ? low : x > high ? high : x);
function rint(x) { // to the nearest integer, halves to the even one
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}
function median(values) {
  const v = Float64Array.from(values).sort(), n = v.length;
  return n % 2 ? v[n >> 1] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

// Pillow's resampling ----------------------------------------------------------------------------

const FILTERS = {
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
};

// For each new cell the first old one, and the weights of those from there on.
function weightsOf(from, to, size, out, filter) {
  const [radius, f] = FILTERS[filter], scale = (to - from) / out, wide = Math.max(scale, 1);
  return Array.from({ length: out }, (_, k) => {
    const centre = from + (k + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - radius * wide + 0.5));
    const end = Math.min(size, Math.trunc(centre + radius * wide + 0.5));
    const w = Array.from({ length: end - first }, (_, i) => f((i + first - centre + 0.5) / wide));
    const sum = w.reduce((a, b) => a + b, 0);
    return { first, w: w.map((v) => v / sum) };
  });
}

// Resizes one channel; bytes by Pillow's fixed-point numbers, others as it does with floats.
function resized(plane, w, h, outW, outH, filter, bytes, box = [0, 0, w, h]) {
  const one = bytes ? 1 << 22 : 1;
  const end = bytes ? (sum) => clamp(Math.floor((sum + (1 << 21)) / one), 0, 255) : (sum) => sum;
  const along = (weights) => weights.map(({ first, w: v }) => ({ first, w: bytes ? v.map((x) => Math.floor(x * one + 0.5)) : v }));
  const pass = (from, width, height, weights, across) => {
    const n = weights.length, y = across ? new Float32Array(n * height) : new Float32Array(width * n);
    for (let k = 0; k < n; k++) for (let q = 0, { first, w: v } = weights[k]; q < (across ? height : width); q++) {
      let sum = 0;
      for (let i = 0; i < v.length; i++) sum += v[i] * (across ? from[q * width + first + i] : from[(first + i) * width + q]);
      y[across ? q * n + k : k * width + q] = end(sum);
    }
    return y;
  };
  const [left, top, right, bottom] = box;
  let y = plane, width = w;
  if (outW !== w || left || right !== w) {
    y = pass(y, w, h, along(weightsOf(left, right, w, outW, filter)), true);
    width = outW;
  }
  if (outH !== h || top || bottom !== h) y = pass(y, width, h, along(weightsOf(top, bottom, h, outH, filter)), false);
  return y;
}

// Pictures ---------------------------------------------------------------------------------------

// A colour on white, by Pillow's integers.
function onWhite(v, alpha) {
  const sum = v * alpha * 128 + 255 * 128 * (255 - alpha) + (128 << 7);
  return ((sum >> 8) + sum) >> 15;
}

// Planes of bytes, grey or red, green, blue, on white where the picture is transparent.
function planesOf({ data, width, height }, channels) {
  const n = width * height, planes = Array.from({ length: channels }, () => new Uint8Array(n));
  for (let i = 0; i < n; i++) {
    let r = data[4 * i], g = data[4 * i + 1], b = data[4 * i + 2];
    const alpha = data[4 * i + 3];
    if (alpha < 255) [r, g, b] = [onWhite(r, alpha), onWhite(g, alpha), onWhite(b, alpha)];
    if (channels === 1) planes[0][i] = (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16;
    else [planes[0][i], planes[1][i], planes[2][i]] = [r, g, b];
  }
  return planes;
}

function borderOf(x, w, h) {
  const row = (i) => Array.from(x.subarray(i * w, (i + 1) * w));
  const column = (j) => Array.from({ length: h }, (_, i) => x[i * w + j]);
  return [...row(0), ...row(h - 1), ...column(0), ...column(w - 1)];
}

// The image's bytes (channels · H · W), and how it was made: "", "fitted", "found" or "none".
function prepare(picture, { size: [H, W], channels, drawing }) {
  const { width: w, height: h } = picture;
  let how = "";
  if (drawing) {
    const grey = Float32Array.from(planesOf(picture, 1)[0], (v) => v / 255);
    const [found, told] = findDrawing(grey, w, h, drawing, H, W);
    how = told;
    if (found) {
      const bytes = Uint8Array.from(found, (v) => clamp(rint(v * 255), 0, 255)), image = new Uint8Array(channels * H * W);
      for (let c = 0; c < channels; c++) image.set(bytes, c * H * W);
      return { image, how };
    }
  }
  const planes = planesOf(picture, channels), image = new Uint8Array(channels * H * W);
  if (w === W && h === H) {
    planes.forEach((plane, c) => image.set(plane, c * H * W));
    return { image, how };
  }
  const scale = Math.min(H / h, W / w), fit = (n, most) => clamp(rint(n * scale), 1, most);
  const outW = fit(w, W), outH = fit(h, H), top = (H - outH) >> 1, left = (W - outW) >> 1;
  planes.forEach((plane, c) => {
    image.fill(rint(median(borderOf(plane, w, h))), c * H * W, (c + 1) * H * W);
    const small = resized(plane, w, h, outW, outH, "bilinear", true);
    for (let i = 0; i < outH; i++)
      image.set(small.subarray(i * outW, (i + 1) * outW), c * H * W + (top + i) * W + left);
  });
  return { image, how: how || "fitted" };
}
