// What the panels of one page have in common: which of them speaks, and the one voice.

import { make } from "./elements.js";

/** @import { View } from "./types.d.ts" */

/** @typedef {{ draw: () => void }} Member */

/**
 * The one `T` that all panels of `owner` share. Every widget has its own copy of this module, so a
 * variable of the module would not do.
 * @template T
 * @param {object} owner
 * @param {string} name
 * @param {() => T} create
 * @returns {T}
 */
export function shared(owner, name, create) {
  const key = Symbol.for(`dtale_magics.${name}`);
  const holder = /** @type {Record<symbol, T>} */ (owner);
  holder[key] ??= create();
  return holder[key];
}

/**
 * The panels of a kernel in this page. News of the kernel is told once, by the panel that the
 * reader used last, or else by the newest.
 */
export class Panels {
  /** @param {object} hub */
  static of(hub) {
    return shared(hub, "panels", () => new Panels());
  }

  constructor() {
    /** @type {Member[]} */
    this._panels = [];
    /** What the reader has seen and folded away. */
    this.folded = "";
    /**
     * A state that came over HTTP and is newer than the model's.
     * @type {View | null}
     */
    this.newest = null;
  }

  get speaker() {
    return this._panels[this._panels.length - 1] ?? null;
  }

  /** @param {Member} panel */
  add(panel) {
    this._panels.push(panel);
    this.draw();
  }

  /** @param {Member} panel */
  remove(panel) {
    this._panels = this._panels.filter((one) => one !== panel);
    this.draw();
  }

  /**
   * Let `panel` speak from now on.
   * @param {Member} panel
   */
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
    return shared(window, "announcer", () => new Announcer());
  }

  constructor() {
    this._users = 0;
    this._said = "";
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

  /** @param {string} words */
  say(words) {
    if (words && this._said !== words) this._region.textContent = words;
    this._said = words;
  }
}
