// Layers in 8-bit integers

// The codes of numbers without the code of 0: round(x / scale), half to even, from -zero to 255 - zero.
// In float32, as in Python. To add 3 · 2^22 there leaves no room for a fraction; NaN has the least code.
const EVEN = 12582912;
function centred({ s, d }, { scale, zero_point }) {
  const by = Math.fround(1 / Math.fround(scale)), most = 255 - zero_point;
  return { s, d: d.map((v) => {
    const code = Math.fround(v * by);
    return code > -zero_point ? Math.fround(Math.min(code, most) + EVEN) - EVEN : -zero_point;
  }) };
}

// y = bias + scale · weight_scale · y, with one number of each for `n` numbers of y that follow each other.
function rescaled(y, n, { weight_scale: { d: scales }, bias }, { scale }) {
  const by = scales.map((t) => Math.fround(scale) * t);
  for (let k = 0; k < y.length; k++) {
    const o = Math.floor(k / n) % by.length;
    y[k] = Math.fround(y[k] * by[o]) + (bias ? bias.d[o] : 0);
  }
}

F.quantized_conv2d = (y, s, [x], a, o) => {
  F.conv2d(y, s, [centred(x, o)], { weight: a.weight }, o);
  rescaled(y, s[1] * s[2], a, o);
};

F.quantized_linear = (y, s, [x], a, o) => {
  F.linear(y, s, [centred(x, o)], { weight: a.weight });
  rescaled(y, 1, a, o);
};
