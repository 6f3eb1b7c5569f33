// Evaluates formulas as they are written: "y = γ · (x − μ) / √(σ² + ε) + β".
"use strict";

const CALLED = {
  max: Math.max, min: Math.min, tanh: Math.tanh, ln: Math.log, "√": Math.sqrt,
  erf: (x) => { // a series near 0, a continued fraction far from it
    const a = Math.abs(x), square = x * x;
    let sum = a, term = a;
    if (a < 2.5) for (let n = 1; n < 60; n++) { term *= -square / n; sum += term / (2 * n + 1); }
    else { let f = 0; for (let n = 60; n; n--) f = n / 2 / (a + f); return Math.sign(x) * (1 - Math.exp(-square) / ((a + f) * Math.sqrt(Math.PI))); }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  },
};

// A function of an object of numbers by symbol, for what follows "=" in the text.
function compiled(text, symbols) {
  const names = [...symbols, ...Object.keys(CALLED), "e", "π"].sort((a, b) => b.length - a.length);
  const escaped = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const token = new RegExp(`\\s*(\\d+(?:\\.\\d+)?(?:e-?\\d+)?|${escaped.join("|")}|[-+−·/^(),|²])`, "y");
  const source = text.replace(/^[^=]*=/, "").trimEnd(), tokens = [];
  for (token.lastIndex = 0; token.lastIndex < source.length;) {
    const found = token.exec(source);
    if (!found) throw new Error(`cannot read the formula ${text}`);
    tokens.push(found[1]);
  }
  let at = 0;
  const take = (...wanted) => (wanted.includes(tokens[at]) ? tokens[at++] : null);
  const joined = (inner, operators) => () => {
    let left = inner();
    for (let sign; (sign = take(...Object.keys(operators)));) {
      const a = left, b = inner(), f = operators[sign];
      left = (numbers) => f(a(numbers), b(numbers));
    }
    return left;
  };
  const atom = () => {
    const word = tokens[at++];
    if (word === "(" || word === "|") {
      const inner = sum();
      at++; // the one that closes it
      return word === "|" ? (numbers) => Math.abs(inner(numbers)) : inner;
    }
    if (symbols.includes(word)) return (numbers) => numbers[word];
    if (word in CALLED) {
      const of = [];
      do { at++; of.push(sum()); } while (tokens[at] === ","); // after "(" or ","
      at++;
      return (numbers) => CALLED[word](...of.map((each) => each(numbers)));
    }
    const constant = { e: Math.E, "π": Math.PI }[word] ?? Number(word);
    return () => constant;
  };
  const power = () => {
    let base = atom();
    if (take("²")) { const inner = base; base = (numbers) => inner(numbers) ** 2; }
    if (!take("^")) return base;
    const root = base, exponent = unary();
    return (numbers) => root(numbers) ** exponent(numbers);
  };
  const unary = () => {
    if (!take("−")) return power();
    const inner = unary();
    return (numbers) => -inner(numbers);
  };
  const times = joined(unary, { "·": (a, b) => a * b, "/": (a, b) => a / b });
  const sum = joined(times, { "+": (a, b) => a + b, "−": (a, b) => a - b });
  const result = sum();
  if (at !== tokens.length) throw new Error(`cannot read the formula ${text}`);
  return result;
}
