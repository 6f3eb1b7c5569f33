// Normalizations

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
