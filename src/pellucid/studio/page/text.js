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
  return (plain ? Number(x.toPrecision(digits)).toString() : x.toExponential(digits - 1)).replace("-", "−");
}

/** A count with separators: 1,234. */
export const counted = (/** @type {number} */ n) => n.toLocaleString("en-US");
