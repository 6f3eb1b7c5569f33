// Windows

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
