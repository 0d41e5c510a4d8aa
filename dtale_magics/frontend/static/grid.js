// The grid below a panel: D-Tale's page in a frame, as tall as it needs to be, covered when it is
// dead.

import { make, show, text } from "./elements.js";
import { pageTheme, watchTheme } from "./page.js";

const ROW = 25; // D-Tale's, in pixels
const AROUND = 75; // what D-Tale has above and below its rows
const LEAST = 150;
const TALLEST = 5000;
const STEP = 25;

export class Grid {
  constructor(parent) {
    this._parent = parent;
    this._box = null;
    this._source = null; // what the frame was loaded from
    this._frame = null;
    this._chosen = 0; // pixels, by the handle
    this._room = 0; // pixels that a menu in the grid needs
  }

  get exists() {
    return Boolean(this._box);
  }

  /** Load a frame's grid from `way`, unless it is there and still works. */
  load(frame, way, links, { data_id, shown }) {
    this._frame = frame;
    if (!this._box) this._build();
    this._iframe.title = `D-Tale: ${frame.title}`;
    this._box.style.width = frame.width ?? "";
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
    const key = `${data_id} ${shown}`; // shown again, its columns may be others: it has to be loaded
    if (works && source.key === key) return;
    this._source = { way: way.source, port: way.port, slug: links.slug, theme, key };
    this._iframe.dataset.frame = key;
    this._room = 0;
    const id = encodeURIComponent(data_id);
    this._iframe.src = `${way.url}/${links.slug}/dtale/iframe/${id}?page-theme=${theme}`;
  }

  /** Lay words over a grid that does not work any more; null takes them away. */
  cover(end) {
    if (!this._box) return;
    show(this._cover, Boolean(end));
    this._iframe.inert = Boolean(end);
    this._handle.hidden = Boolean(end);
    if (!end) {
      this._themeChanged(); // meanwhile, perhaps
      return;
    }
    text(this._coverText, end.text);
    text(this._coverHint, end.hint);
  }

  remove() {
    if (!this._box) return;
    this._unwatch();
    window.removeEventListener("message", this._heard);
    this._box.remove();
    this._box = this._source = null;
  }

  _build() {
    const box = make("div", "dtale-frame");
    this._iframe = make("iframe", "dtale-grid");
    this._cover = make("div", "dp-cover");
    this._coverText = make("strong", "");
    this._coverHint = make("span", "");
    const words = make("div", "dp-cover-words");
    words.append(this._coverText, this._coverHint);
    this._cover.append(words);
    this._cover.hidden = true;
    this._handle = this._buildHandle();
    box.append(this._iframe, this._cover, this._handle);
    this._parent.append(box);
    this._box = box;
    this._unwatch = watchTheme(() => this._themeChanged());
    this._heard = (event) => this._hear(event);
    window.addEventListener("message", this._heard);
  }

  _themeChanged() {
    const source = this._source;
    if (!source || this._frame.theme || !this._cover.hidden || source.theme === pageTheme(this._parent)) return;
    source.theme = pageTheme(this._parent);
    this._room = 0;
    this._iframe.src = this._iframe.src.replace(/page-theme=\w+$/, `page-theme=${source.theme}`);
  }

  // ------------------------------------------------------------------- height

  _fit() {
    const { rows, height } = this._frame;
    if (this._chosen) this._setHeight(`${this._chosen}px`);
    else {
      const needed = Math.max(LEAST, AROUND + ROW * rows, this._room);
      this._setHeight(`min(${height}, ${needed}px)`);
    }
  }

  _setHeight(height) {
    this._box.style.height = height;
    const pixels = Math.round(this._box.getBoundingClientRect().height);
    if (pixels) this._handle.setAttribute("aria-valuenow", String(pixels));
  }

  /** D-Tale's page tells how much room its menus need (`page.js` of the viewer). */
  _hear({ source, data }) {
    if (source !== this._iframe?.contentWindow || typeof data?.dtaleMagicsRoom !== "number") return;
    this._room = Math.min(Math.max(0, Math.ceil(data.dtaleMagicsRoom)), TALLEST);
    this._fit();
  }

  _buildHandle() {
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
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      const before = this._box.getBoundingClientRect().height - event.clientY;
      const move = (moved) => this._choose(before + moved.clientY);
      this._iframe.style.pointerEvents = "none";
      handle.addEventListener("pointermove", move);
      const end = () => {
        this._iframe.style.pointerEvents = "";
        handle.removeEventListener("pointermove", move);
      };
      handle.addEventListener("lostpointercapture", end, { once: true });
    });
    handle.addEventListener("dblclick", () => this._choose(0));
    handle.addEventListener("keydown", (event) => {
      const steps = { ArrowDown: STEP, ArrowUp: -STEP };
      if (!(event.key in steps)) return;
      event.preventDefault();
      event.stopPropagation(); // the notebook would go to another cell
      this._choose(this._box.getBoundingClientRect().height + steps[event.key]);
    });
    return handle;
  }

  _choose(pixels) {
    this._chosen = pixels && Math.round(Math.min(Math.max(LEAST, pixels), TALLEST));
    this._fit();
  }
}
