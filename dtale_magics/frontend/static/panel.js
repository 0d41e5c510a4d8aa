// The panel in the browser: shows what the kernel's model says, and sends clicks.
//
//   elements.js  making elements
//   page.js      what the panels of a page have in common
//   reach.js     the ways to the kernel's server, and what is found there
//   kernel.js    whether the kernel lives
//   grid.js      D-Tale's grid below a panel
//   layout.js    the panel's elements
//
// Python joins these files into one module (dtale_magics/frontend/panel.py); there is no build step.
//
// A click goes over HTTP to the kernel's own server, which answers while a cell runs, and over the
// widget's comm where the browser does not reach that server.

import { clock, copyText, enable, isEnabled, list, make, random, show, text } from "./elements.js";
import { Grid } from "./grid.js";
import { Life } from "./kernel.js";
import { build } from "./layout.js";
import { Announcer, choose, chosen, Panels } from "./page.js";
import { Reach } from "./reach.js";

const STALE_MS = 10000;
const ACT_MS = 30000;
const PATIENCE_MS = 1500;
const FLASH_MS = 300; // what takes no longer is not said to be under way
const BUSY = "Waiting for the kernel: this is done as soon as the running cell has ended.";
const HOW = {
  ingress: "through the ingress",
  hub: "through jupyter-server-proxy",
  server: "through jupyter-server-proxy",
  page: "through jupyter-server-proxy",
  pod: "by the pod’s address",
  loopback: "directly",
};

export default { render };

async function render({ model, el }) {
  const hub = await model.widget_manager.get_model(
    model.get("hub").replace("IPY_MODEL_", ""),
  );
  if (hub.comm_live === false && !hub.get("links").slug) return undefined; // an export: no kernel
  const panel = new Panel(model, hub, el);
  panel.begin();
  return () => panel.end();
}

class Panel {
  constructor(model, hub, el) {
    this._model = model;
    this._hub = hub;
    this._id = random();
    this._panels = Panels.of(hub);
    this._reach = Reach.of(hub);
    this._life = Life.of(hub, this._reach);
    this._announcer = Announcer.get();
    this._kind = model.get("frame").title ? "frame" : "state";
    this._unfolded = chosen(this._kind); // what the reader chose, here or earlier
    this._pending = ""; // what was clicked and is not known to be under way
    this._note = "";
    this._asking = false;
    this._dirty = false;
    this._instead = false; // whether the newer frame of this name is shown
    this._gone = new AbortController();
    this.parts = build(el);
    this._grid = new Grid(el);
    this._draw = () => this.draw();
    this._found = () => this._drawAll();
  }

  begin() {
    this._announcer.join();
    this._listen();
    this._panels.add(this);
    this._say("here");
    this._drawGrid();
  }

  end() {
    this._gone.abort();
    this._unreach();
    this._unlife();
    this._hub.off("change:view", this._draw);
    this._model.off("change:frame", this._found);
    this._grid.remove();
    this._panels.remove(this);
    this._announcer.leave();
    this._say("gone");
  }

  // ------------------------------------------------------------------ knowing

  get _view() {
    const view = this._hub.get("view");
    const { newest } = this._panels;
    return newest && newest.revision > view.revision ? newest : view;
  }

  /** Take a state that came by HTTP. */
  _know(answer) {
    if (answer && answer.revision > this._view.revision) this._panels.newest = answer;
    return answer;
  }

  get _speaks() {
    return this._panels.speaker === this;
  }

  get _works() {
    return this._life.alive && !this._pending && !this._view.activity.doing;
  }

  /** Why this panel's D-Tale is gone, and what to do; null while it is there. */
  get _end() {
    return this._life.end ?? this._view.end;
  }

  /** What the reader ought to see: it unfolds the panel, until it is folded again. */
  get _concern() {
    if (this._end) return "";
    if (this._reach.tried && !this._reach.best && this._hub.get("links").ports.length) return "unreached";
    return this._view.concern;
  }

  get _isUnfolded() {
    const concern = this._speaks ? this._concern : "";
    if (concern && concern !== this._panels.folded) return true;
    return this._unfolded ?? this._kind === "state";
  }

  // ------------------------------------------------------------------ drawing

  draw() {
    const view = this._view;
    const { parts } = this;
    this._drawHead(view);
    // Nothing stays that is no longer true: the grid's cover says why, or else the message.
    const unfolded = this._end ? !this._grid.exists : this._isUnfolded;
    show(parts.body, unfolded);
    show(parts.fold, !this._end);
    parts.fold.setAttribute("aria-expanded", String(unfolded));
    text(parts.fold, unfolded ? "▾" : "▸");
    parts.region.dataset.ended = String(Boolean(this._end));
    this._drawFact(parts.server, view.server, `${view.label}: `);
    show(parts.ingress.box, Boolean(view.ingress));
    if (view.ingress) this._drawFact(parts.ingress, view.ingress);
    this._drawReach(view);
    text(parts.warning, view.warning ? `▲ ${view.warning}` : "");
    show(parts.warning, Boolean(view.warning));
    this._drawButton(view);
    this._drawSaid(view);
    this._drawDetails(view);
    this._grid.cover(this._end);
  }

  _drawAll() {
    this.draw();
    this._drawGrid();
  }

  /** The one line that is always there: the frame, and where it is. */
  _drawHead(view) {
    const { parts } = this;
    const { title, name, shape, note, newer, gone } = this._model.get("frame");
    const end = this._end;
    if (!newer) this._instead = false;
    const unreached = this._concern === "unreached";
    const mark = end || gone || unreached ? "lost" : note || view.warning ? "stranger" : view.server.mark;
    parts.head.box.dataset.mark = mark;
    text(parts.head.mark, { lost: "✗", stranger: "▲" }[mark] ?? view.server.glyph);
    parts.region.setAttribute("aria-label", title ? `D-Tale: ${name}` : `D-Tale of ${view.label}`);
    text(parts.name, name || view.label);
    let brief = view.brief;
    if (end) brief = end.brief;
    else if (unreached) brief = "not seen from this browser";
    const words = title ? [shape, brief] : [brief];
    text(parts.facts, gone || words.filter(Boolean).join(" · "));
    text(parts.note, gone ? "" : this._instead ? `Newer than this cell: ${note}` : note);
    show(parts.note, Boolean(note) && !gone);
    show(parts.name, !gone);
    show(parts.newer, Boolean(newer) && !end);
    text(parts.newer, this._instead ? "Back to this cell’s" : "Show the newer one here");
    this._drawLinks();
  }

  _drawLinks() {
    const { open, copy } = this.parts;
    const url = this._end ? "" : this._url;
    enable(open, Boolean(url));
    enable(copy, Boolean(url));
    if (url) open.href = url;
    else open.removeAttribute("href");
  }

  _drawFact(row, fact, before = "") {
    row.box.dataset.mark = fact.mark;
    text(row.mark, fact.glyph);
    const since = fact.since === null ? "" : ` since ${clock(fact.since)}`;
    text(row.words, `${before}${fact.text}${since}${fact.note ? `, ${fact.note}` : ""}`);
  }

  _drawReach(view) {
    const { reach, here, outside } = this.parts;
    const { mark, glyph, text: summary, note } = view.outside;
    const best = this._hub.get("links").ports.length ? this._reach.best : null;
    reach.box.dataset.mark = best ? "ours" : mark;
    // The page knows first; the kernel knows why.
    let words = this._reach.tried ? summary : "This page looks for the way to it …";
    if (best) words = `This page shows it ${HOW[best.source]}: ${best.url}`;
    text(reach.mark, best ? "✓" : this._reach.tried ? glyph : "…");
    text(here, words);
    text(outside, note && (!best || mark === "ours") ? `\n${note}` : "");
  }

  _drawButton({ button }) {
    const { primary } = this.parts;
    show(primary, Boolean(button));
    if (!button) {
      text(primary, ""); // or an old name would stay in it
      return;
    }
    if (!button.confirm) this._asking = false;
    text(primary, this._asking ? `Yes: ${lower(button.label)}` : button.label);
    primary.dataset.action = button.action;
    enable(primary, this._works);
  }

  /** What goes on, once in a page: below the line of the panel that speaks. */
  _drawSaid(view) {
    const { status, undo, cancel, said: box, region } = this.parts;
    const { doing, said } = view.activity;
    const offered = this._speaks ? view.activity.undo : null;
    const [words, kind] = this._speaks ? this._words(view, doing, said) : ["", "none"];
    text(status, words);
    status.dataset.kind = kind;
    status.classList.toggle("dp-busy", kind === "busy");
    region.setAttribute("aria-busy", String(kind === "busy"));
    show(cancel, this._asking);
    show(undo, Boolean(offered) && this._life.alive && !this._asking && kind !== "busy");
    text(undo, offered?.label ?? "");
    show(box, Boolean(words));
    if (this._speaks) this._announcer.say(words || (this._end ? `${this._end.text} ${this._end.hint}` : ""));
  }

  _words(view, doing, said) {
    if (this._end) return [this._grid.exists ? "" : `${this._end.text}\n${this._end.hint}`, "bad"];
    if (this._asking && view.button) return [view.button.confirm, "ask"];
    const busy = this._note || doing || this._pending;
    if (busy && (doing || this._pending)) return [busy, "busy"];
    if (this._note) return [this._note, "bad"];
    if (view.news) return [`› ${view.news}`, "news"];
    if (!said || (said.action === "range" && !said.ok)) return ["", "none"];
    const words = `${said.ok ? "✓" : "✗"} ${said.text}${said.hint ? `\n${said.hint}` : ""}`;
    return [words, said.ok ? "good" : "bad"];
  }

  _drawDetails(view) {
    const { parts } = this;
    if (!this._dirty && document.activeElement !== parts.range) parts.range.value = view.range;
    const { said } = view.activity;
    const wrong = said && said.action === "range" && !said.ok ? said : null;
    parts.range.setAttribute("aria-invalid", String(Boolean(wrong)));
    const error = wrong ? `✗ ${wrong.text}${wrong.hint ? `\n${wrong.hint}` : ""}` : "";
    text(parts.error, error);
    if (error && this._speaks) this._announcer.say(error);
    enable(parts.set, this._works);
    enable(parts.reset, this._works);
    list(parts.kernels, view.kernels, kernelItem);
    list(parts.ways, view.ways, wayItem);
    list(parts.events, view.events, eventItem);
    show(parts.noKernels, !view.kernels.length);
    show(parts.noEvents, !view.events.length);
  }

  // -------------------------------------------------------------------- links

  /** Which frame the grid shows: the panel's, or the newer one of its name. */
  get _shownFrame() {
    const { data_id, shown, newer } = this._model.get("frame");
    return this._instead && newer ? newer : { data_id, shown };
  }

  /** The address to open or to give away; empty if there is none. */
  get _url() {
    const links = this._hub.get("links");
    const way = links.ports.length ? this._reach.likely() : null;
    if (!way) return "";
    const id = this._model.get("frame").gone ? "" : this._shownFrame.data_id;
    return `${way.url}/${links.slug}/${id ? `dtale/main/${id}` : ""}`;
  }

  async _drawGrid() {
    if (this._model.get("frame").gone) this._grid.remove();
    if (!this._model.get("frame").data_id) return;
    const best = await this._reach.find();
    const frame = this._model.get("frame");
    // No blank grid: the panel says what is the matter.
    if (!best || frame.gone || this._gone.signal.aborted || this._end) return;
    this._grid.load(frame, best, this._hub.get("links"), this._shownFrame);
  }

  // ------------------------------------------------------------------- clicks

  async _act(action, value = "") {
    if (!this._works) return;
    const click = random();
    const before = this._view.revision;
    this._panels.use(this);
    this._asking = false;
    this._note = "";
    const flash = setTimeout(() => {
      this._pending = "Working …";
      this.draw();
    }, FLASH_MS);
    const answer = await this._post(action, { value, click });
    if (!answer && this._life.alive) {
      this._hub.send({ type: "act", action, value, click, view: this._id });
      await this._answered(before);
    }
    clearTimeout(flash);
    this._pending = "";
    this._note = "";
    this._panels.draw();
  }

  async _post(action, body) {
    await this._reach.find();
    const options = { method: "POST", body: JSON.stringify(body) };
    const answer = await this._reach.call(action, ACT_MS, options);
    if (!answer) this._reach.again();
    return this._know(answer);
  }

  /** Wait until the kernel has done what the comm asked for; say so if a cell keeps it waiting. */
  _answered(before) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this._note = BUSY;
        this.draw();
      }, PATIENCE_MS);
      const check = () => {
        const view = this._hub.get("view");
        const done = view.revision > before && !view.activity.doing;
        if (!done && this._life.alive && !this._gone.signal.aborted) return;
        clearTimeout(timer);
        this._hub.off("change:view", check);
        unwatch();
        resolve();
      };
      this._hub.on("change:view", check);
      const unwatch = this._life.watch(check);
      this._gone.signal.addEventListener("abort", check);
    });
  }

  _clicked() {
    const { button } = this._view;
    if (!button || !isEnabled(this.parts.primary)) return;
    if (button.confirm && !this._asking) {
      this._panels.use(this);
      this._asking = true;
      this.draw();
    } else this._act(button.action, button.value).then(() => this._keepFocus());
  }

  /** Leave the focus in the panel where the button that had it is gone. */
  _keepFocus() {
    const { primary, undo, fold } = this.parts;
    if (document.activeElement !== document.body && document.activeElement?.offsetParent) return;
    ([undo, primary].find((one) => !one.hidden && one.offsetParent) ?? fold).focus();
  }

  _fold() {
    const unfolded = !this._isUnfolded;
    this._panels.use(this);
    const concern = this._concern;
    if (!unfolded && concern) this._panels.folded = concern;
    else choose(this._kind, unfolded); // folding away a problem says nothing of other days
    this._unfolded = unfolded;
    this._panels.draw();
  }

  async _copy() {
    const url = this._end ? "" : this._url;
    const { copy, region } = this.parts;
    if (!url) return;
    const done = await copyText(url, region);
    text(copy, done ? "Copied ✓" : "Not allowed");
    this._announcer.say(done ? "Link copied" : "The browser does not allow to copy");
    copy.focus();
    setTimeout(() => text(copy, "Copy link"), 2000);
  }

  async _setRange(value) {
    if (!isEnabled(this.parts.set)) return;
    await this._act("range", value);
    const { said } = this._view.activity;
    this._dirty = Boolean(said && said.action === "range" && !said.ok);
    if (!this._dirty) this.parts.range.value = this._view.range;
  }

  // ---------------------------------------------------------------- listening

  _listen() {
    const { parts } = this;
    const { signal } = this._gone;
    const on = (target, event, handler) => target.addEventListener(event, handler, { signal });
    on(parts.fold, "click", () => this._fold());
    on(parts.primary, "click", () => this._clicked());
    on(parts.cancel, "click", () => {
      this._asking = false;
      this.draw();
      parts.primary.focus();
    });
    on(parts.undo, "click", () => {
      const { undo } = this._view.activity;
      if (undo) this._act(undo.action, undo.value).then(() => this._keepFocus());
    });
    on(parts.newer, "click", () => {
      this._instead = !this._instead;
      this._drawAll();
    });
    on(parts.copy, "click", () => this._copy());
    on(parts.range, "input", () => {
      this._dirty = true;
    });
    on(parts.form, "submit", (event) => {
      event.preventDefault();
      this._setRange(parts.range.value.trim());
    });
    on(parts.reset, "click", () => this._setRange(""));
    // Jupyter's own shortcuts would take the keys typed into the field.
    on(parts.form, "keydown", (event) => event.stopPropagation());
    this._asked = performance.now();
    const returned = () => this._returned();
    on(window, "focus", returned);
    on(document, "visibilitychange", returned);
    on(parts.region, "pointerenter", returned);
    on(window, "pagehide", () => this._say("gone"));
    this._unreach = this._reach.watch(this._found);
    this._unlife = this._life.watch(this._found);
    this._life.heard = (answer) => {
      const before = this._view.revision;
      if (this._know(answer).revision > before) this._panels.draw();
    };
    this._hub.on("change:view", this._draw);
    this._model.on("change:frame", this._found);
  }

  /** Somebody looks again: who has a port without being one of us tells nobody when it goes. */
  async _returned() {
    const now = performance.now();
    if (document.hidden || now - this._asked < PATIENCE_MS || !this._life.alive) return;
    this._asked = now;
    if (now - this._reach.asked > STALE_MS) this._reach.again();
    if (["stranger", "free"].includes(this._view.ingress?.mark)) {
      await this._post("refresh", {});
      this._panels.draw();
    }
  }

  _say(type) {
    if (this._hub.comm_live !== false) this._hub.send({ type, view: this._id });
  }
}

function kernelItem(kernel) {
  const here = kernel.here ? " (this notebook)" : "";
  const item = make("li", "");
  item.append(make("strong", "", kernel.label), `${here} · ${kernel.text}`);
  if (kernel.frames.length) {
    const frames = make("ul", "");
    frames.append(...kernel.frames.map((frame) => make("li", "", frame)));
    item.append(frames);
  }
  return item;
}

function wayItem(way) {
  const item = make("li", "");
  item.append(make("strong", "", way.base));
  item.append(` · browser: ${way.browser} · kernel: ${way.kernel}`);
  return item;
}

function eventItem([moment, words]) {
  const item = make("li", "");
  const time = make("time", "", clock(moment, true));
  time.dateTime = new Date(moment * 1000).toISOString();
  item.append(time, `  ${words}`);
  return item;
}

function lower(words) {
  return words.charAt(0).toLowerCase() + words.slice(1);
}
