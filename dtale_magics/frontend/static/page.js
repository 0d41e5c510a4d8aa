// What the panels of one page have in common: which of them speaks, and what the reader chose.

import { make } from "./elements.js";

const CHOICE = "dtale_magics.unfolded.";

/**
 * The panels of a kernel in this page. News of the kernel are told once, by the panel that the
 * reader used last, or else by the newest.
 */
export class Panels {
  static of(hub) {
    const key = Symbol.for("dtale_magics.panels"); // every widget has its own copy of this module
    hub[key] ??= new Panels();
    return hub[key];
  }

  constructor() {
    this._panels = [];
    this.folded = ""; // what the reader has seen and folded away
    this.newest = null; // a state that came by HTTP, newer than the model's
  }

  get speaker() {
    return this._panels[this._panels.length - 1] ?? null;
  }

  add(panel) {
    this._panels.push(panel);
    this.draw();
  }

  remove(panel) {
    this._panels = this._panels.filter((one) => one !== panel);
    this.draw();
  }

  /** Let `panel` speak from now on. */
  use(panel) {
    if (this.speaker === panel) return;
    this._panels = [...this._panels.filter((one) => one !== panel), panel];
    this.draw();
  }

  draw() {
    for (const panel of [...this._panels]) panel.draw();
  }
}

/** Says things aloud: one live region for the whole page. */
export class Announcer {
  static get() {
    const key = Symbol.for("dtale_magics.announcer");
    window[key] ??= new Announcer();
    return window[key];
  }

  constructor() {
    this._users = 0;
    this._region = make("div", "dtale-announcer");
    this._region.setAttribute("role", "status");
    this._region.setAttribute("aria-live", "polite");
  }

  join() {
    if (!this._users) document.body.append(this._region);
    this._users += 1;
  }

  leave() {
    this._users -= 1;
    if (!this._users) this._region.remove();
  }

  say(words) {
    if (words && this._said !== words) this._region.textContent = words;
    this._said = words;
  }
}

/** Whether the reader wants panels of this kind unfolded; null if the reader has not said. */
export function chosen(kind) {
  try {
    const choice = localStorage.getItem(CHOICE + kind);
    return choice === null ? null : choice === "yes";
  } catch {
    return null; // a browser that keeps nothing
  }
}

export function choose(kind, unfolded) {
  try {
    localStorage.setItem(CHOICE + kind, unfolded ? "yes" : "no");
  } catch {
    // then it holds for this panel alone
  }
}

/** "dark" or "light": the page's own theme. */
export function pageTheme(node) {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false" ? "dark" : "light";
  if (vscodeThemeKind) return /dark|^vscode-high-contrast$/.test(vscodeThemeKind) ? "dark" : "light";
  for (let one = node; one; one = one.parentElement) {
    const parts = getComputedStyle(one).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    const [red, green, blue, alpha = 1] = parts;
    if (parts.length >= 3 && alpha > 0.5) return red + green + blue < 384 ? "dark" : "light";
  }
  return "light";
}

/** Have `callback` called when the page's theme may have changed; returns how to end that. */
export function watchTheme(callback) {
  const observer = new MutationObserver(callback);
  const attributeFilter = ["data-jp-theme-name", "data-jp-theme-light", "data-vscode-theme-kind", "class"];
  observer.observe(document.body, { attributes: true, attributeFilter });
  return () => observer.disconnect();
}
