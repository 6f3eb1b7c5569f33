// The functions of layers, on one image. Each fills y, a Float32Array of the shape s, from the values
// xs ({s: shape, d: numbers}), the arrays a of its layer and the options o, whose axes count N as 0.
"use strict";
const F = {};
const product = (s) => s.reduce((a, b) => a * b, 1);

// How a window moves, with what is left out of the options.
const moves = (o) => ({ stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], ...o });

// Products of matrices

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
