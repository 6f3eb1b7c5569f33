// Formulas as the arithmetic of a unit writes them: "γ · (x − μ) / √(σ² + ε) + β".

/** @typedef {Record<string, number>} Known   Numbers by symbol. */
/** @typedef {(known: Known) => number} Computed */

const TOKEN = /\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z\u0370-\u03ff][\w\u0370-\u03ff]*|\S)/uy;

/** @type {Record<string, (...numbers: number[]) => number>} */
const FUNCTIONS = { max: Math.max, min: Math.min, tanh: Math.tanh, ln: Math.log, abs: Math.abs, erf };

/**
 * The error function, 2/√π · e^(−x²) · x · Σ (2x²)^n / (1 · 3 · … · (2n + 1)): the terms have one sign.
 * @param {number} x
 */
export function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/**
 * Returns the right side of a formula as a function of its symbols' numbers. One of the symbols may
 * be "σ²"; elsewhere ² is a square.
 * @param {string} text
 * @param {Iterable<string>} symbols
 * @returns {Computed}
 */
export function formula(text, symbols) {
  const named = new Set(symbols), tokens = tokensOf(text.slice(text.lastIndexOf("=") + 1));
  let next = 0;
  const accept = (/** @type {string[]} */ ...wanted) => (wanted.includes(tokens[next]) ? tokens[next++] : "");
  const need = (/** @type {string} */ wanted) => {
    if (!accept(wanted)) throw new SyntaxError(`${text}: ${wanted} was expected`);
  };

  /** @returns {Computed} */
  function sum() {
    let left = product();
    for (let sign; (sign = accept("+", "−", "-")); ) {
      const one = left, other = product();
      left = sign === "+" ? (k) => one(k) + other(k) : (k) => one(k) - other(k);
    }
    return left;
  }
  /** @returns {Computed} */
  function product() {
    let left = signed();
    for (let sign; (sign = accept("·", "×", "*", "/")); ) {
      const one = left, other = signed();
      left = sign === "/" ? (k) => one(k) / other(k) : (k) => one(k) * other(k);
    }
    return left;
  }
  /** @returns {Computed} */
  function signed() {
    if (!accept("−", "-")) return power();
    const inner = signed();
    return (k) => -inner(k);
  }
  /** @returns {Computed} */
  function power() {
    const base = single();
    if (accept("²")) return (k) => base(k) ** 2;
    if (!accept("^")) return base;
    const exponent = signed();
    return (k) => base(k) ** exponent(k);
  }
  /** @returns {Computed} */
  function single() {
    const token = tokens[next++] ?? "";
    if (token === "(" || token === "|") {
      const inner = sum();
      need(token === "(" ? ")" : "|");
      return token === "(" ? inner : (k) => Math.abs(inner(k));
    }
    if (token === "√") {
      const inner = single();
      return (k) => Math.sqrt(inner(k));
    }
    if (/^\d/.test(token)) return () => Number(token);
    if (named.has(`${token}²`) && accept("²")) return (k) => k[`${token}²`];
    if (named.has(token)) return (k) => k[token];
    if (token === "e" || token === "π") return () => (token === "e" ? Math.E : Math.PI);
    const apply = FUNCTIONS[token];
    if (!apply) throw new SyntaxError(`${text}: ${token || "the end"} is not known`);
    need("(");
    const given = [sum()];
    while (accept(",")) given.push(sum());
    need(")");
    return (k) => apply(...given.map((each) => each(k)));
  }

  const computed = sum();
  if (next < tokens.length) throw new SyntaxError(`${text}: ${tokens[next]} is not expected`);
  return computed;
}

/** @param {string} text */
function tokensOf(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  for (let found; (found = TOKEN.exec(text)); ) tokens.push(found[1]);
  return tokens;
}
