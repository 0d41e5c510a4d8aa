// The grid below a panel: D-Tale's page in a frame, as tall as it needs to be, and covered when it
// is dead.

import { make, show, text } from "./elements.js";
import { pageTheme, watchTheme } from "./theme.js";

/** @import { End, Frame, Links, Place, Way } from "./types.d.ts" */

const ROW = 25; // height of D-Tale's rows, in pixels
const AROUND = 75; // what D-Tale has above and below its rows
const LEAST = 150;
const TALLEST = 5000;
const STEP = 25;

/**
 * @typedef {object} Built
 * @property {HTMLElement} box
 * @property {HTMLIFrameElement} iframe
 * @property {HTMLElement} cover
 * @property {HTMLElement} coverText
 * @property {HTMLElement} coverHint
 * @property {HTMLElement} handle
 * @property {() => void} unwatch
 */

/**
 * How tall a grid is to be, in CSS: as tall as it needs, up to a limit, unless the reader chose a height.
 * @param {Pick<Frame, "rows" | "height">} frame
 * @param {number} chosen pixels; 0 if the reader has not
 * @param {number} room pixels that an open menu needs
 */
export function heightOf({ rows, height }, chosen, room) {
  if (chosen) return `${chosen}px`;
  return `min(${height}, ${Math.max(LEAST, AROUND + ROW * rows, room)}px)`;
}

export class Grid {
  /** @param {HTMLElement} parent */
  constructor(parent) {
    this._parent = parent;
    /** @type {Built | null} */
    this._built = null;
    /**
     * What the frame was loaded from.
     * @type {{ way: string, port: number, slug: string, theme: string, key: string } | null}
     */
    this._source = null;
    /** @type {Frame | null} */
    this._frame = null;
    this._chosen = 0; // in pixels, by the handle
    this._room = 0; // in pixels, what a menu in the grid needs
  }

  get exists() {
    return Boolean(this._built);
  }

  /**
   * Load a frame's grid from `way`, unless it is there and still works.
   * @param {Frame} frame
   * @param {Way} way
   * @param {Links} links
   * @param {Place} place the frame's, or that of a newer one
   */
  load(frame, way, links, { data_id, shown }) {
    this._frame = frame;
    this._built ??= this._build();
    const { box, iframe } = this._built;
    iframe.title = `D-Tale: ${frame.title}`;
    box.style.width = frame.width ?? "";
    this._fit();
    // A grid that still works is left alone: loading it again would lose its place.
    const source = this._source;
    const theme = frame.theme || pageTheme(this._parent);
    const works =
      source &&
      source.way === way.source &&
      links.ports.includes(source.port) &&
      source.slug === links.slug &&
      source.theme === theme;
    const key = `${data_id} ${shown}`; // shown again, its columns may differ: reload
    if (works && source.key === key) return;
    this._source = { way: way.source, port: way.port, slug: links.slug, theme, key };
    iframe.dataset.frame = key;
    this._room = 0;
    const id = encodeURIComponent(data_id);
    iframe.src = `${way.url}/${links.slug}/dtale/iframe/${id}?page-theme=${theme}`;
  }

  /**
   * Cover a grid that no longer works with words; null removes them.
   * @param {End | null} end
   */
  cover(end) {
    if (!this._built) return;
    const { cover, iframe, handle, coverText, coverHint } = this._built;
    show(cover, Boolean(end));
    iframe.inert = Boolean(end);
    handle.hidden = Boolean(end);
    if (!end) {
      this._themeChanged(); // it may have changed meanwhile
      return;
    }
    text(coverText, end.text);
    text(coverHint, end.hint);
  }

  remove() {
    if (!this._built) return;
    this._built.unwatch();
    this._built.box.remove();
    this._built = this._source = null;
  }

  /** @returns {Built} */
  _build() {
    const box = make("div", "dtale-frame");
    const iframe = make("iframe", "dtale-grid");
    const cover = make("div", "dp-cover");
    const coverText = make("strong", "");
    const coverHint = make("span", "");
    const words = make("div", "dp-cover-words");
    words.append(coverText, coverHint);
    cover.append(words);
    cover.hidden = true;
    const handle = this._buildHandle(box, iframe);
    box.append(iframe, cover, handle);
    this._parent.append(box);
    const untheme = watchTheme(() => this._themeChanged());
    /** @param {MessageEvent} event */
    const heard = (event) => this._hear(event);
    window.addEventListener("message", heard);
    const unwatch = () => {
      untheme();
      window.removeEventListener("message", heard);
    };
    return { box, iframe, cover, coverText, coverHint, handle, unwatch };
  }

  _themeChanged() {
    const source = this._source;
    if (!source || !this._built || this._frame?.theme || !this._built.cover.hidden) return;
    const theme = pageTheme(this._parent);
    if (source.theme === theme) return;
    source.theme = theme;
    this._room = 0;
    const { iframe } = this._built;
    iframe.src = iframe.src.replace(/page-theme=\w+$/, `page-theme=${theme}`);
  }

  // ------------------------------------------------------------------- height

  _fit() {
    if (!this._built || !this._frame) return;
    const { box, handle } = this._built;
    box.style.height = heightOf(this._frame, this._chosen, this._room);
    const pixels = Math.round(box.getBoundingClientRect().height);
    if (pixels) handle.setAttribute("aria-valuenow", String(pixels));
  }

  /**
   * D-Tale's page tells how much room its menus need (`embedded.js` of the viewer).
   * @param {MessageEvent} event
   */
  _hear({ source, data }) {
    const ours = this._built && source === this._built.iframe.contentWindow;
    if (!ours || typeof data?.dtaleMagicsRoom !== "number") return;
    this._room = Math.min(Math.max(0, Math.ceil(data.dtaleMagicsRoom)), TALLEST);
    this._fit();
  }

  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} iframe
   */
  _buildHandle(box, iframe) {
    const handle = make("div", "dp-handle");
    handle.tabIndex = 0;
    handle.title = "Drag to change the height; double-click for the usual one";
    const about = {
      role: "separator",
      "aria-orientation": "horizontal",
      "aria-label": "Height of the grid",
      "aria-valuemin": String(LEAST),
      "aria-valuemax": String(TALLEST),
    };
    for (const [name, value] of Object.entries(about)) handle.setAttribute(name, value);
    const height = () => box.getBoundingClientRect().height;
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      const before = height() - event.clientY;
      /** @param {PointerEvent} moved */
      const move = (moved) => this._choose(before + moved.clientY);
      iframe.style.pointerEvents = "none";
      handle.addEventListener("pointermove", move);
      const end = () => {
        iframe.style.pointerEvents = "";
        handle.removeEventListener("pointermove", move);
      };
      handle.addEventListener("lostpointercapture", end, { once: true });
    });
    handle.addEventListener("dblclick", () => this._choose(0));
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowDown: STEP, ArrowUp: -STEP }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation(); // otherwise the notebook would go to another cell
      this._choose(height() + step);
    });
    return handle;
  }

  /** @param {number} pixels 0 for what the rows need */
  _choose(pixels) {
    this._chosen = pixels && Math.round(Math.min(Math.max(LEAST, pixels), TALLEST));
    this._fit();
  }
}
