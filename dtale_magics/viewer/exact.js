// Shows numbers in D-Tale's grid as they are. D-Tale formats them with numeral.js, which reads text as
// a double, and gives NaN for numbers below 1e-6 and from 1e21 on. This script comes before D-Tale's
// bundle, and in files exported as HTML, and changes numeral's `format` as soon as that is defined.
(() => {
  const WHOLE = /^-?\d+$/;
  const PLAIN = /^0(?:\.(0+))?$/; // D-Tale's own formats, by the precision of the grid
  const ZERO = /^-?0(?:\.0*)?$/;

  /**
   * @param {string} value
   * @param {string | undefined} pattern
   */
  function text(value, pattern) {
    if (!WHOLE.test(value)) return Number.isNaN(Number(value)) ? value : null;
    if (Number.isSafeInteger(Number(value))) return null;
    return pattern?.includes(",") ? value.replace(/\B(?=(\d{3})+$)/g, ",") : value;
  }

  /** @param {any} numeral numeral.js itself */
  function changed(numeral) {
    const format = numeral.fn.format;
    /** @type {(this: { _input: unknown }, pattern?: string, ...others: unknown[]) => string} */
    numeral.fn.format = function (pattern, ...others) {
      const value = this._input;
      if (typeof value === "string") {
        const exact = text(value, pattern);
        if (exact !== null) return exact;
      }
      const shown = format.call(this, pattern, ...others);
      if (typeof value !== "number" || !Number.isFinite(value) || value === 0) return shown;
      const plain = PLAIN.exec(pattern ?? "");
      if (plain && (ZERO.test(shown) || shown.includes("NaN"))) {
        return value.toExponential((plain[1] ?? "").length);
      }
      return shown.includes("NaN") ? String(value) : shown;
    };
  }

  // Numeral is inside a bundle or an exported file, and has no name outside of it. Its code has
  // `numeral.isNumeral = …` and later `numeral.fn = …`, and both call the setters here.
  Object.defineProperty(Object.prototype, "isNumeral", {
    configurable: true,
    set(check) {
      /** @param {unknown} value */
      const own = (value) => ({ value, configurable: true, enumerable: true, writable: true });
      Object.defineProperty(this, "isNumeral", own(check));
      Object.defineProperty(this, "fn", {
        configurable: true,
        enumerable: true,
        set(methods) {
          Object.defineProperty(this, "fn", own(methods));
          if (typeof methods?.format === "function") changed(this);
        },
      });
    },
  });
})();
