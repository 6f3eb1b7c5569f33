// Long lists: what is near the visible part is there, all else is an empty place of its height.

/**
 * @param {HTMLElement | null} root   What scrolls; null for the page.
 * @returns {{watch: (place: HTMLElement, fill: () => void, empty: () => void) => void, stop: () => void}}
 */
export function lazily(root = null) {
  /** @type {Map<Element, {fill: () => void, empty: () => void, full: boolean}>} */
  const places = new Map();
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const place = places.get(target);
      if (!place || place.full === isIntersecting) continue;
      place.full = isIntersecting;
      const { style, offsetHeight } = /** @type {HTMLElement} */ (target);
      if (!isIntersecting && offsetHeight) style.minHeight = `${offsetHeight}px`;
      (isIntersecting ? place.fill : place.empty)();
    }
  }, { root, rootMargin: "300px 0px" });
  return {
    watch(place, fill, empty) {
      places.set(place, { fill, empty, full: false });
      observer.observe(place);
    },
    stop() {
      observer.disconnect();
      places.clear();
    },
  };
}
