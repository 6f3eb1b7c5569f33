// The words of the page, in English and Korean; texts/*.json.

/** @type {Record<string, Record<string, string>>} */
const known = {};

/**
 * @param {string} language
 * @param {Record<string, string>} texts
 */
export function learn(language, texts) {
  known[language] = texts;
}

/** @returns {(key: string, values?: Record<string, string | number>) => string} */
export function texts(/** @type {string} */ language) {
  return (key, values = {}) => {
    const words = known[language]?.[key] ?? known.en?.[key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
}

/** A number as people read it: three significant digits, or as many as are asked for. */
export function figure(/** @type {number} */ x, digits = 3) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞";
  const size = Math.abs(x), plain = x === 0 || (size >= 1e-3 && size < 1e6);
  return (plain ? Number(x.toPrecision(digits)).toString() : x.toExponential(digits - 1).replace(/\.?0+e/, "e")).replaceAll("-", "−");
}

/** A number as one of a table whose largest is `most`: all have the same places after the point. */
export function aligned(/** @type {number} */ x, /** @type {number} */ most, digits = 3) {
  if (!Number.isFinite(x) || x === 0 || !(most >= 1e-4 && most < 1e6)) return figure(x, digits);
  return x.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(most)))).replace("-", "−");
}

/** A count with separators: 1,234. */
export const counted = (/** @type {number} */ n) => n.toLocaleString("en-US");

/** A large count in short: 41.6M. */
export const short = (/** @type {number} */ n) =>
  new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(n);
