// Applies the rules of a description to a unit; rules.py, which measures them, has what they mean.

/** @typedef {[axis: number, a: number | number[], d?: number, m?: number]} Term */

/**
 * Returns an entry, or an object or array of such, with its rules applied.
 * @param {any} entry
 * @param {number[]} unit
 * @returns {any}
 */
export function resolved(entry, unit) {
  if (entry === null || typeof entry !== "object") return entry;
  if (Array.isArray(entry)) return entry.map((each) => resolved(each, unit));
  if ("+" in entry) {
    const [constant, ...terms] = entry["+"];
    const add = (/** @type {number} */ sum, /** @type {Term} */ term) => sum + along(term, unit);
    return terms.reduce(add, constant);
  }
  if ("*" in entry) {
    const [whole, ...factors] = entry["*"];
    const multiply = (/** @type {number} */ product, /** @type {[number, number[]]} */ [axis, table]) =>
      (product * table[unit[axis]]) / whole;
    return factors.reduce(multiply, whole);
  }
  if ("by" in entry) return resolved(entry.of[unit[entry.by]], unit);
  if (Array.isArray(entry.text)) return resolved(entry.text, unit).join("");
  return Object.fromEntries(Object.entries(entry).map(([key, each]) => [key, resolved(each, unit)]));
}

/**
 * @param {Term} term
 * @param {number[]} unit
 */
function along([axis, a, d = 1, m = Infinity], unit) {
  const k = unit[axis];
  return Array.isArray(a) ? a[k] : a * (Math.floor(k / d) % m);
}
