// The panel in the browser: shows what the kernel's model says, and sends clicks.
//
//   elements.js  making elements
//   theme.js     whether the page is light or dark
//   page.js      what the panels of a page have in common
//   folding.js   whether a panel is one line or unfolded, as the reader chose
//   ways.js      the URLs that may lead to the kernel's server
//   probe.js     what is found at one of them
//   reach.js     which of them is the best
//   kernel.js    whether the kernel lives
//   grid.js      D-Tale's grid below a panel
//   layout.js    the panel's elements
//   words.js     what it says
//   drawing.js   puts that into its elements
//   clicks.js    what its buttons do
//
// Python joins these files into one module (dtale_magics/frontend/panel/script.py); there is no
// build step. types.d.ts says what they pass to each other.

import { Clicks } from "./clicks.js";
import { Drawing } from "./drawing.js";
import { random } from "./elements.js";
import { Folding } from "./folding.js";
import { Grid } from "./grid.js";
import { Life } from "./kernel.js";
import { build } from "./layout.js";
import { Announcer, Panels } from "./page.js";
import { Reach } from "./reach.js";

/** @import { Hub, PanelModel, Place, Shown, View } from "./types.d.ts" */

const STALE_MS = 10000;
const BETWEEN_LOOKS_MS = 1500;

export default { render };

/** @param {{ model: PanelModel, el: HTMLElement }} widget */
async function render({ model, el }) {
  const hub = await model.widget_manager.get_model(model.get("hub").replace("IPY_MODEL_", ""));
  if (hub.comm_live === false && !hub.get("links").slug) return undefined; // an export: no kernel
  const panel = new Panel(model, hub, el);
  panel.begin();
  return () => panel.end();
}

export class Panel {
  /**
   * @param {PanelModel} model
   * @param {Hub} hub
   * @param {HTMLElement} el
   */
  constructor(model, hub, el) {
    this._model = model;
    this._hub = hub;
    this.id = random();
    this._panels = Panels.of(hub);
    this._reach = Reach.of(hub);
    this._life = Life.of(hub, this._reach);
    this._announcer = Announcer.get();
    this._folding = new Folding(model.get("frame").title ? "frame" : "state", this._panels);
    this._instead = false; // whether the newer frame of this name is shown
    this._asked = performance.now();
    this._gone = new AbortController();
    this.parts = build(el);
    this._drawing = new Drawing(this.parts, this._announcer);
    this._clicks = new Clicks(this, hub, this._reach, this._life);
    this._grid = new Grid(el);
    this._draw = () => this.draw();
    this._found = () => this._drawAll();
    this._unwatch = () => {};
  }

  begin() {
    this._announcer.join();
    this._listen();
    this._follow();
    this._panels.add(this);
    this._say("here");
    this._drawGrid();
  }

  end() {
    this._gone.abort();
    this._clicks.end();
    this._unwatch();
    this._grid.remove();
    this._panels.remove(this);
    this._announcer.leave();
    this._say("gone");
  }

  // ------------------------------------------------------------------ knowing

  /** @returns {View} */
  get view() {
    const view = this._hub.get("view");
    const { newest } = this._panels;
    return newest && newest.revision > view.revision ? newest : view;
  }

  /**
   * Take a state that came over HTTP.
   * @param {View} answer
   */
  know(answer) {
    if (answer.revision > this.view.revision) this._panels.newest = answer;
  }

  get _speaks() {
    return this._panels.speaker === this;
  }

  /** Why this panel's D-Tale is gone, and what to do; null while it is there. */
  get _end() {
    return this._life.end ?? this.view.end;
  }

  /** What the reader should see: it unfolds the panel, until the reader folds it again. */
  get _concern() {
    if (this._end) return "";
    const { tried, best } = this._reach;
    if (tried && !best && this._hub.get("links").ports.length) return "unreached";
    return this.view.concern;
  }

  /** The address of the pod's page; empty if there is none. */
  get _page() {
    const { page } = this._hub.get("links");
    return page && this._way ? `${this._way.url}/${page}/` : "";
  }

  get _way() {
    const { ports } = this._hub.get("links");
    return ports.length && !this._end ? this._reach.likely() : null;
  }

  /** The address to open or to share; empty if there is none. */
  get url() {
    const links = this._hub.get("links");
    const way = this._way;
    if (!way) return "";
    const id = this._model.get("frame").gone ? "" : this._shownFrame.data_id;
    return `${way.url}/${links.slug}/${id ? `dtale/main/${id}` : ""}`;
  }

  /**
   * Which frame the grid shows: the panel's, or the newer one of its name.
   * @returns {Place}
   */
  get _shownFrame() {
    const { data_id, shown, newer } = this._model.get("frame");
    return this._instead && newer ? newer : { data_id, shown };
  }

  /** @returns {Shown} */
  get _shown() {
    const end = this._end;
    const concern = this._concern;
    const frame = this._model.get("frame");
    this._instead &&= Boolean(frame.newer);
    const hasGrid = this._grid.exists;
    const { asking, works, pending, note, typing } = this._clicks;
    // Nothing that is no longer true stays: the grid's cover says why, or else the message.
    const unfolded = end ? !hasGrid : this._folding.isUnfolded(this._speaks ? concern : "");
    return {
      view: this.view,
      frame,
      end,
      concern,
      unfolded,
      speaks: this._speaks,
      alive: this._life.alive,
      works,
      asking,
      pending,
      note,
      typing,
      instead: this._instead,
      hasGrid,
      url: this.url,
      page: this._page,
      best: this._hub.get("links").ports.length ? this._reach.best : null,
      tried: this._reach.tried,
    };
  }

  // ------------------------------------------------------------------ drawing

  draw() {
    this._drawing.draw(this._shown);
    this._grid.cover(this._end);
  }

  /** Draw all panels of the page. */
  drawPanels() {
    this._panels.draw();
  }

  _drawAll() {
    this.draw();
    this._drawGrid();
  }

  async _drawGrid() {
    if (this._model.get("frame").gone) this._grid.remove();
    if (!this._model.get("frame").data_id) return;
    const best = await this._reach.find();
    const frame = this._model.get("frame");
    // Instead of a blank grid, the panel says what is wrong.
    if (!best || frame.gone || this._gone.signal.aborted || this._end) return;
    this._grid.load(frame, best, this._hub.get("links"), this._shownFrame);
  }

  // ----------------------------------------------------------------- speaking

  /** Announce what goes on from now on, as one panel of each page does. */
  speak() {
    this._panels.use(this);
  }

  /** @param {string} words */
  announce(words) {
    this._announcer.say(words);
  }

  /** @param {"here" | "gone"} type */
  _say(type) {
    if (this._hub.comm_live !== false) this._hub.send({ type, view: this.id });
  }

  // ---------------------------------------------------------------- listening

  _listen() {
    const { parts, _clicks: clicks } = this;
    const { signal } = this._gone;
    /** @type {(target: EventTarget, event: string, handler: (event: Event) => void) => void} */
    const on = (target, event, handler) => target.addEventListener(event, handler, { signal });
    on(parts.fold, "click", () => this._fold());
    on(parts.newer, "click", () => {
      this._instead = !this._instead;
      this._drawAll();
    });
    on(parts.primary, "click", () => clicks.press());
    on(parts.cancel, "click", () => clicks.cancel());
    on(parts.undo, "click", () => clicks.undo());
    on(parts.copy, "click", () => clicks.copy());
    on(parts.range, "input", () => {
      clicks.typing = true;
    });
    on(parts.form, "submit", (event) => {
      event.preventDefault();
      clicks.setRange(parts.range.value.trim());
    });
    on(parts.reset, "click", () => clicks.setRange(""));
    // Jupyter's own shortcuts would take the keys typed into the field.
    on(parts.form, "keydown", (event) => event.stopPropagation());
    const returned = () => this._returned();
    on(window, "focus", returned);
    on(document, "visibilitychange", returned);
    on(parts.region, "pointerenter", returned);
    on(window, "pagehide", () => this._say("gone"));
  }

  /** Redraw whenever something has changed. */
  _follow() {
    const unreach = this._reach.watch(this._found);
    const unlife = this._life.watch(this._found);
    this._hub.on("change:view", this._draw);
    this._model.on("change:frame", this._found);
    this._life.heard = (answer) => {
      const before = this.view.revision;
      this.know(answer);
      if (answer.revision > before) this.drawPanels();
    };
    this._unwatch = () => {
      unreach();
      unlife();
      this._hub.off("change:view", this._draw);
      this._model.off("change:frame", this._found);
    };
  }

  _fold() {
    const concern = this._concern;
    const shown = this._speaks ? concern : "";
    this._folding.toggle(shown, concern);
    this.speak();
    this.drawPanels();
  }

  /** Refresh when somebody looks again: a stranger that frees a port tells nobody. */
  async _returned() {
    const now = performance.now();
    if (document.hidden || now - this._asked < BETWEEN_LOOKS_MS || !this._life.alive) return;
    this._asked = now;
    if (now - this._reach.asked > STALE_MS) this._reach.again();
    if (["stranger", "free"].includes(this.view.ingress?.mark ?? "")) {
      await this._clicks.post("refresh", {});
      this.drawPanels();
    }
  }
}
