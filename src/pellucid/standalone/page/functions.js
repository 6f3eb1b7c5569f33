// The functions of layers, on one image. Each fills y, a Float32Array of the shape s, from the values
// xs ({s: shape, d: numbers}), the arrays a of its layer and the options o, whose axes count N as 0.
"use strict";
const F = {};
const product = (s) => s.reduce((a, b) => a * b, 1);

// How a window moves, with what is left out of the options.
const moves = (o) => ({ stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], ...o });

// Products of matrices ---------------------------------------------------------------------------

// y[o,p] += Σ w[o,k]·c[k,p]: two rows of y and four of c at a time, so that a number is read once.
function multiply(w, w0, outs, inner, c, c0, pitch, n, y, y0, across) {
  for (let o = 0; o < outs; o += 2) {
    const both = o + 1 < outs, wa = w0 + o * inner, wb = both ? wa + inner : wa;
    const ya = y0 + o * across, yb = ya + across;
    let k = 0;
    for (; k + 3 < inner; k += 4) {
      const a0 = w[wa + k], a1 = w[wa + k + 1], a2 = w[wa + k + 2], a3 = w[wa + k + 3];
      const b0 = w[wb + k], b1 = w[wb + k + 1], b2 = w[wb + k + 2], b3 = w[wb + k + 3];
      const k0 = c0 + k * pitch, k1 = k0 + pitch, k2 = k1 + pitch, k3 = k2 + pitch;
      if (both) for (let p = 0; p < n; p++) {
        const p0 = c[k0 + p], p1 = c[k1 + p], p2 = c[k2 + p], p3 = c[k3 + p];
        y[ya + p] += a0 * p0 + a1 * p1 + a2 * p2 + a3 * p3;
        y[yb + p] += b0 * p0 + b1 * p1 + b2 * p2 + b3 * p3;
      } else for (let p = 0; p < n; p++)
        y[ya + p] += a0 * c[k0 + p] + a1 * c[k1 + p] + a2 * c[k2 + p] + a3 * c[k3 + p];
    }
    for (; k < inner; k++) {
      const a0 = w[wa + k], b0 = w[wb + k], k0 = c0 + k * pitch;
      for (let p = 0; p < n; p++) y[ya + p] += a0 * c[k0 + p];
      if (both) for (let p = 0; p < n; p++) y[yb + p] += b0 * c[k0 + p];
    }
  }
}

// One window cell (u, v) of a channel for some rows of the output: zeros beyond the image.
function fillColumn(to, t, x, x0, h, w, oh0, oh1, ow, si, sj, di, dj) {
  const first = Math.max(0, Math.ceil(-dj / sj)), end = Math.min(ow, Math.ceil((w - dj) / sj));
  for (let i = oh0; i < oh1; i++, t += ow) {
    const row = i * si + di;
    if (row < 0 || row >= h || first >= end) { to.fill(0, t, t + ow); continue; }
    to.fill(0, t, t + first);
    to.fill(0, t + end, t + ow);
    let from = x0 + row * w + first * sj + dj;
    if (sj === 1) to.set(x.subarray(from, from + end - first), t + first);
    else for (let j = first; j < end; j++, from += sj) to[t + j] = x[from];
  }
}

const SPACE = 1 << 18; // numbers of the columns at a time

F.conv2d = (y, [outs, oh, ow], [x], a, o) => {
  const { stride, padding, dilation, groups = 1 } = moves(o);
  const [c, h, w] = x.s, [, inside, fh, fw] = a.weight.s, inner = inside * fh * fw;
  const each = outs / groups, n = oh * ow;
  if (a.bias) for (let o = 0; o < outs; o++) y.fill(a.bias.d[o], o * n, (o + 1) * n);
  const plain = fh * fw === 1 && stride[0] * stride[1] === 1 && n === h * w;
  const rows = Math.max(1, Math.min(oh, Math.floor(SPACE / (inner * ow))));
  const columns = plain ? null : new Float32Array(inner * rows * ow);
  for (let g = 0; g < groups; g++) {
    if (plain) {
      multiply(a.weight.d, g * each * inner, each, inner, x.d, g * inside * n, n, n, y, g * each * n, n);
      continue;
    }
    for (let i0 = 0; i0 < oh; i0 += rows) {
      const i1 = Math.min(oh, i0 + rows), m = (i1 - i0) * ow;
      for (let k = 0, t = 0; k < inside; k++) for (let u = 0; u < fh; u++) for (let v = 0; v < fw; v++, t += m)
        fillColumn(columns, t, x.d, (g * inside + k) * h * w, h, w, i0, i1, ow, stride[0], stride[1],
          u * dilation[0] - padding[0], v * dilation[1] - padding[2]);
      multiply(a.weight.d, g * each * inner, each, inner, columns, 0, m, m, y, g * each * n + i0 * ow, n);
    }
  }
};

F.conv_transpose2d = (y, [outs, oh, ow], [x], a, o) => {
  const { stride: [sh, sw], padding: [top, , left], dilation: [dh, dw], groups = 1 } = moves(o);
  const [c, h, w] = x.s, [, each, fh, fw] = a.weight.s, inside = c / groups;
  if (a.bias) for (let k = 0; k < outs; k++) y.fill(a.bias.d[k], k * oh * ow, (k + 1) * oh * ow);
  for (let k = 0; k < c; k++) for (let e = 0; e < each; e++) {
    const to = (Math.floor(k / inside) * each + e) * oh * ow;
    for (let u = 0; u < fh; u++) for (let v = 0; v < fw; v++) {
      const f = a.weight.d[((k * each + e) * fh + u) * fw + v];
      for (let i = 0; i < h; i++) {
        const row = i * sh + u * dh - top;
        if (row < 0 || row >= oh) continue;
        for (let j = 0; j < w; j++) {
          const column = j * sw + v * dw - left;
          if (column >= 0 && column < ow) y[to + row * ow + column] += f * x.d[(k * h + i) * w + j];
        }
      }
    }
  }
};

F.locally_connected2d = (y, [outs, oh, ow], [x], a, o) => {
  const { stride, padding, dilation } = moves(o);
  const [c, h, w] = x.s, [, , , , fh, fw] = a.weight.s, inner = c * fh * fw, m = oh * ow;
  const columns = new Float32Array(inner * m);
  for (let k = 0, t = 0; k < c; k++) for (let u = 0; u < fh; u++) for (let v = 0; v < fw; v++, t += m)
    fillColumn(columns, t, x.d, k * h * w, h, w, 0, oh, ow, stride[0], stride[1],
      u * dilation[0] - padding[0], v * dilation[1] - padding[2]);
  for (let p = 0; p < m; p++) for (let o = 0; o < outs; o++) {
    let sum = a.bias ? a.bias.d[o * m + p] : 0;
    for (let k = 0, from = (p * outs + o) * inner; k < inner; k++) sum += a.weight.d[from + k] * columns[k * m + p];
    y[o * m + p] = sum;
  }
};

F.linear = (y, s, [x], a) => {
  const [outs, inner] = a.weight.s, w = a.weight.d;
  for (let r = 0; r < y.length / outs; r++) for (let o = 0; o < outs; o++) {
    let sum = a.bias ? a.bias.d[o] : 0;
    for (let k = 0, from = o * inner, at = r * inner; k < inner; k++) sum += w[from + k] * x.d[at + k];
    y[r * outs + o] = sum;
  }
};

F.channel_linear = (y, [outs, h, w], [x], a) => {
  const n = h * w;
  if (a.bias) for (let o = 0; o < outs; o++) y.fill(a.bias.d[o], o * n, (o + 1) * n);
  multiply(a.weight.d, 0, outs, x.s[0], x.d, 0, n, n, y, 0, n);
};

F.matmul = (y, s, [x, z]) => {
  const rank = s.length, [m, n] = s.slice(-2), inner = x.s[x.s.length - 1], lead = s.slice(0, -2);
  const xd = spread(x, [...lead, m, inner]), zd = spread(z, [...lead, inner, n]);
  for (let b = 0; b < product(lead); b++)
    multiply(xd, b * m * inner, m, inner, zd, b * inner * n, n, n, y, b * m * n, n);
};

F.resample = (y, [c, oh, ow], [x], { rows, columns }) => {
  const [, h, w] = x.s, across = new Float64Array(h * ow);
  for (let k = 0; k < c; k++) {
    for (let i = 0; i < h; i++) for (let j = 0; j < ow; j++) {
      let sum = 0;
      for (let q = 0; q < w; q++) sum += columns.d[j * w + q] * x.d[(k * h + i) * w + q];
      across[i * ow + j] = sum;
    }
    for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) {
      let sum = 0;
      for (let q = 0; q < h; q++) sum += rows.d[i * h + q] * across[q * ow + j];
      y[(k * oh + i) * ow + j] = sum;
    }
  }
};

F.radial_basis = (y, s, [x], { codes }) => {
  const inner = codes.s[1];
  for (let o = 0; o < y.length; o++)
    for (let k = 0; k < inner; k++) y[o] -= (x.d[k] - codes.d[o * inner + k]) ** 2;
};

// Windows ----------------------------------------------------------------------------------------

// Reduces each window: `add(sum, number)` over its cells that are not padding, then `end(sum, place)`.
const pool = (begin, add, end) => (y, [c, oh, ow], [x], a, o) => {
  const [, h, w] = x.s, { size: [fh, fw], stride: [sh, sw], padding: [top, , left], dilation: [dh, dw] } = moves(o);
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++, at++) {
    let sum = begin;
    for (let u = 0, row = i * sh - top; u < fh; u++, row += dh) if (row >= 0 && row < h)
      for (let v = 0, column = j * sw - left; v < fw; v++, column += dw) if (column >= 0 && column < w)
        sum = add(sum, x.d[(k * h + row) * w + column], o);
    y[at] = end(sum, i * ow + j, a, o);
  }
};
F.max_pool2d = pool(-Infinity, (m, v) => (v > m || v !== v ? v : m), (m) => m);
F.avg_pool2d = pool(0, (m, v) => m + v, (m, at, a, o) => m / (a.counts ? a.counts.d[at] : o.size[0] * o.size[1]));
F.lp_pool2d = pool(0, (m, v, o) => m + Math.abs(v) ** o.p, (m, at, a, o) => m ** (1 / o.p));

F.adaptive_max_pool2d = (y, [c, oh, ow], [x], a, { rows, columns }) => {
  const [, h, w] = x.s;
  for (let k = 0, at = 0; k < c; k++) for (const [i0, i1] of rows) for (const [j0, j1] of columns) {
    let m = -Infinity;
    for (let i = i0; i < i1; i++) for (let j = j0; j < j1; j++) m = Math.max(m, x.d[(k * h + i) * w + j]);
    y[at++] = m;
  }
};

// Functions of each number -----------------------------------------------------------------------

const map = (f) => (y, s, [x], a, o) => { for (let i = 0, d = x.d; i < y.length; i++) y[i] = f(d[i], o); };
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
function erf(x) { // Abramowitz and Stegun, 7.1.26
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
const between = (x, low, high) => (x < low ? low : x > high ? high : x);
F.relu = map((x) => (x < 0 ? 0 : x));
F.leaky_relu = map((x, o) => (x > 0 ? x : o.slope * x));
F.thresholded_relu = map((x, o) => (x > o.theta ? x : 0));
F.clip = map((x, { low = -Infinity, high = Infinity }) => between(x, low, high));
F.sigmoid = map(sigmoid);
F.hardsigmoid = map((x, o) => between(o.alpha * x + o.beta, 0, 1));
F.silu = map((x) => x * sigmoid(x));
F.hardswish = map((x) => x * between((x + 3) / 6, 0, 1));
F.tanh = map(Math.tanh);
F.scaled_tanh = map((x, o) => o.outside * Math.tanh(o.inside * x));
F.erf = map(erf);
F.gelu = map((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)));
F.gelu_tanh = map((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))));
F.elu = map((x, { alpha, scale = 1, width = 1 }) => scale * (x > 0 ? x : alpha * Math.expm1(x / width)));
F.softplus = map((x, { beta = 1 }) => softplus(beta * x) / beta);
F.softsign = map((x) => x / (1 + Math.abs(x)));
F.mish = map((x) => x * Math.tanh(softplus(x)));
F.absolute = map(Math.abs);
F.exp = map(Math.exp);
F.log = map(Math.log);
F.sqrt = map(Math.sqrt);
F.reciprocal = map((x) => 1 / x);
F.negative = map((x) => -x);
F.power = map((x, o) => x ** o.exponent);
F.divided = map((x, o) => x / o.by);
F.times = map((x, o) => x * o.factor);

// A function of each number and the numbers of its channel.
const channelwise = (f) => (y, s, [x], a, o) => {
  const n = y.length / s[0];
  for (let c = 0, i = 0; c < s[0]; c++) for (const g = f(a, c, o), end = i + n; i < end; i++) y[i] = g(x.d[i]);
};
F.prelu = channelwise((a, c) => { const m = a.weight.d[a.weight.d.length > 1 ? c : 0]; return (x) => (x > 0 ? x : m * x); });
F.batch_norm = channelwise((a, c, o) => {
  const m = a.weight.d[c] / Math.sqrt(a.running_var.d[c] + o.eps), b = a.bias.d[c] - m * a.running_mean.d[c];
  return (x) => m * x + b;
});
F.normalize = channelwise((a, c) => (x) => (x - a.mean.d[c]) / a.std.d[c]);
F.scale_and_shift = channelwise((a, c) => (x) => a.weight.d[c] * x + a.bias.d[c]);

// Normalizations ---------------------------------------------------------------------------------

// (x - μ) / √(σ² + ε) of n numbers from `at` on, `step` apart; then g(value, k) of the k-th.
function standardise(y, x, at, n, step, eps, g) {
  let mean = 0, variance = 0;
  for (let k = 0, i = at; k < n; k++, i += step) mean += x[i];
  mean /= n;
  for (let k = 0, i = at; k < n; k++, i += step) variance += (x[i] - mean) ** 2;
  const factor = 1 / Math.sqrt(variance / n + eps);
  for (let k = 0, i = at; k < n; k++, i += step) y[i] = g((x[i] - mean) * factor, k);
}
const affine = (a) => (v, c) => v * (a.weight ? a.weight.d[c] : 1) + (a.bias ? a.bias.d[c] : 0);
F.group_norm = (y, s, [x], a, { groups, eps }) => {
  const n = y.length / groups, pixels = y.length / s[0], g = affine(a);
  for (let k = 0; k < groups; k++)
    standardise(y, x.d, k * n, n, 1, eps, (v, i) => g(v, Math.floor((k * n + i) / pixels)));
};
F.layer_norm = (y, s, [x], a, { axes, eps }) => {
  const n = product(s.slice(-axes));
  for (let at = 0; at < y.length; at += n) standardise(y, x.d, at, n, 1, eps, affine(a));
};
F.layer_norm2d = (y, [c, h, w], [x], a, { eps }) => {
  for (let p = 0; p < h * w; p++) standardise(y, x.d, p, c, h * w, eps, affine(a));
};
F.local_response_norm = (y, s, [x], a, { size, alpha, beta, k }) => {
  const c = s[0], n = y.length / c, before = size >> 1, after = (size - 1) >> 1;
  for (let p = 0; p < n; p++) for (let i = 0; i < c; i++) {
    let sum = 0;
    for (let j = Math.max(0, i - before); j <= Math.min(c - 1, i + after); j++) sum += x.d[j * n + p] ** 2;
    y[i * n + p] = x.d[i * n + p] / (k + (alpha / size) * sum) ** beta;
  }
};

// Joins, and functions that move numbers ---------------------------------------------------------

const strides = (s) => s.map((_, k) => product(s.slice(k + 1)));

// Calls f(place) for each place of the shape s, in order; a place counts `steps` along each axis.
function walk(s, steps, start, f) {
  const index = s.map(() => 0), total = product(s);
  for (let n = 0, at = start; n < total; n++) {
    f(at, n);
    for (let k = s.length - 1; k >= 0; k--) {
      at += steps[k];
      if (++index[k] < s[k]) break;
      at -= steps[k] * s[k];
      index[k] = 0;
    }
  }
}

// The numbers of x broadcast to the shape s.
function spread(x, s) {
  if (x.d.length === product(s)) return x.d;
  const own = [...Array(Math.max(0, s.length - x.s.length)).fill(1), ...x.s].slice(-s.length || undefined);
  const y = new Float32Array(product(s));
  walk(s, strides(own).map((step, k) => (own[k] === 1 ? 0 : step)), 0, (at, n) => { y[n] = x.d[at]; });
  return y;
}

const join = (f) => (y, s, xs, a) => {
  const parts = [...xs, ...Object.values(a)].map((x) => spread(x, s));
  y.set(parts[0]);
  for (const d of parts.slice(1)) for (let i = 0; i < y.length; i++) y[i] = f(y[i], d[i]);
};
F.add = F.shift = join((a, b) => a + b);
F.multiply = F.scale = join((a, b) => a * b);
F.subtract = join((a, b) => a - b);
F.divide = join((a, b) => a / b);
F.maximum = join(Math.max);
F.minimum = join(Math.min);

F.concat = (y, s, xs, a, { axis = 1 }) => {
  const after = product(s.slice(axis)), block = after * s[axis - 1];
  let at = 0;
  for (const x of xs) {
    const n = after * x.s[axis - 1];
    for (let r = 0; r < y.length / block; r++) y.set(x.d.subarray(r * n, (r + 1) * n), r * block + at);
    at += n;
  }
};
F.reshape = (y, s, [x]) => y.set(x.d);
F.permute = (y, s, [x], a, { axes }) => {
  const steps = strides(x.s);
  walk(s, axes.slice(1).map((axis) => steps[axis - 1]), 0, (at, n) => { y[n] = x.d[at]; });
};
F.part = (y, s, [x], a, { axis, start, step = 1 }) => {
  const steps = strides(x.s), k = axis - 1, n = x.s[k];
  let first = start ?? (step > 0 ? 0 : n - 1);
  first = between(first < 0 ? first + n : first, step > 0 ? 0 : -1, step > 0 ? n : n - 1);
  const from = first * steps[k];
  steps[k] *= step;
  walk(s, steps, from, (at, i) => { y[i] = x.d[at]; });
};

const reduce = (begin, f, mean) => (y, s, [x], a, { axes }) => {
  const inside = x.s.map((n, k) => (axes.includes(k + 1) ? 1 : n)), own = strides(inside);
  const sums = new Float64Array(y.length).fill(begin);
  let n = 0;
  walk(x.s, own.map((step, k) => (inside[k] === 1 ? 0 : step)), 0, (at) => { sums[at] = f(sums[at], x.d[n++]); });
  for (let i = 0; i < y.length; i++) y[i] = mean ? (sums[i] * y.length) / n : sums[i];
};
F.mean_over = reduce(0, (m, v) => m + v, true);
F.sum_over = reduce(0, (m, v) => m + v);
F.max_over = reduce(-Infinity, Math.max);
F.min_over = reduce(Infinity, Math.min);
F.lp_over = (y, s, [x], a, { p }) => {
  const n = x.d.length / y.length;
  for (let i = 0; i < x.d.length; i++) y[Math.floor(i / n)] += Math.abs(x.d[i]) ** p;
  for (let i = 0; i < y.length; i++) y[i] **= 1 / p;
};

// Which cell of n a padded place shows; -1 for none.
const shown = { // reflect does not repeat the border
  constant: (i, n) => (i < 0 || i >= n ? -1 : i),
  edge: (i, n) => between(i, 0, n - 1),
  wrap: (i, n) => ((i % n) + n) % n,
  reflect: (i, n) => { const m = Math.max(1, 2 * n - 2), k = ((i % m) + m) % m; return k < n ? k : m - k; },
};
F.pad2d = (y, [c, oh, ow], [x], a, { sides: [top, bottom, left, right], mode = "constant", value = 0 }) => {
  const [, h, w] = x.s, cut = (side) => Math.max(-side, 0); // a negative side removes cells first
  const place = (i, n, before, after) => {
    const k = shown[mode](i - Math.max(before, 0), n - cut(before) - cut(after));
    return k < 0 ? -1 : k + cut(before);
  };
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) {
    const row = place(i, h, top, bottom);
    for (let j = 0; j < ow; j++, at++) {
      const column = place(j, w, left, right);
      y[at] = row < 0 || column < 0 ? value : x.d[(k * h + row) * w + column];
    }
  }
};
F.zero_pad_shortcut = (y, [, oh, ow], [x], a, { stride: [sh, sw] }) => {
  const [c, h, w] = x.s;
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++)
    y[at++] = x.d[(k * h + i * sh) * w + j * sw];
};
F.pixel_shuffle = (y, [c, oh, ow], [x], a, { factor: r, mode = "CRD" }) => {
  const [, h, w] = x.s;
  for (let k = 0, at = 0; k < c; k++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) {
    const cell = (i % r) * r + (j % r), channel = mode === "CRD" ? k * r * r + cell : cell * c + k;
    y[at++] = x.d[(channel * h + Math.floor(i / r)) * w + Math.floor(j / r)];
  }
};
F.pixel_unshuffle = (y, [, oh, ow], [x], a, { factor: r, mode = "CRD" }) => {
  const [c, h, w] = x.s;
  for (let k = 0, at = 0; k < c * r * r; k++) {
    const [channel, cell] = mode === "CRD" ? [Math.floor(k / (r * r)), k % (r * r)] : [k % c, Math.floor(k / c)];
    const u = Math.floor(cell / r), v = cell % r;
    for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) y[at++] = x.d[(channel * h + i * r + u) * w + j * r + v];
  }
};
F.softmax = (y, s, [x], a, { axis = 1 }) => {
  const n = s[axis - 1], step = product(s.slice(axis));
  for (let at = 0; at < y.length; at++) {
    if (Math.floor(at / step) % n) continue; // the first number along the axis stands for all
    let most = -Infinity, sum = 0;
    for (let k = 0; k < n; k++) most = Math.max(most, x.d[at + k * step]);
    for (let k = 0; k < n; k++) sum += Math.exp(x.d[at + k * step] - most);
    for (let k = 0; k < n; k++) y[at + k * step] = Math.exp(x.d[at + k * step] - most) / sum;
  }
};
