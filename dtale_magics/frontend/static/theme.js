// Whether the page is light or dark.

const DARKEST_LIGHT = 384; // red, green and blue together: the middle between black and white

/**
 * The page's own theme.
 * @param {Element} node where to begin to look for a background
 * @returns {"dark" | "light"}
 */
export function pageTheme(node) {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false" ? "dark" : "light";
  if (vscodeThemeKind) {
    return /dark|^vscode-high-contrast$/.test(vscodeThemeKind) ? "dark" : "light";
  }
  for (let one = /** @type {Element | null} */ (node); one; one = one.parentElement) {
    const theme = themeOf(getComputedStyle(one).backgroundColor);
    if (theme) return theme;
  }
  return "light";
}

/**
 * The theme that a background gives a page; null if it is transparent.
 * @param {string} colour as `getComputedStyle` has it
 * @returns {"dark" | "light" | null}
 */
export function themeOf(colour) {
  const parts = colour.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red = 0, green = 0, blue = 0, alpha = 1] = parts;
  if (parts.length < 3 || alpha <= 0.5) return null;
  return red + green + blue < DARKEST_LIGHT ? "dark" : "light";
}

/**
 * Have `callback` called when the page's theme may have changed; returns how to stop that.
 * @param {() => void} callback
 */
export function watchTheme(callback) {
  const observer = new MutationObserver(callback);
  const attributeFilter = [
    "data-jp-theme-name",
    "data-jp-theme-light",
    "data-vscode-theme-kind",
    "class",
  ];
  observer.observe(document.body, { attributes: true, attributeFilter });
  return () => observer.disconnect();
}
