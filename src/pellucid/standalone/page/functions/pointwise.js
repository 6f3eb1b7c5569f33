// Functions of each number

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
