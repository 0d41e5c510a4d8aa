// Draws what a panel knows into its elements.

import { clock, enable, list, make, show, text } from "./elements.js";
import { endOf, factOf, headOf, rangeErrorOf, statusOf, wayOf, yes } from "./words.js";

/** @import { Parts } from "./layout.js" */
/** @import { Announcer } from "./page.js" */
/** @import { KernelRow, Line, Shown, View, WayRow } from "./types.d.ts" */

export class Drawing {
  /**
   * @param {Parts} parts
   * @param {Announcer} announcer
   */
  constructor(parts, announcer) {
    this._parts = parts;
    this._announcer = announcer;
  }

  /** @param {Shown} shown */
  draw(shown) {
    const { view, end, unfolded } = shown;
    const parts = this._parts;
    this._drawHead(shown);
    show(parts.body, unfolded);
    show(parts.fold, !end);
    parts.fold.setAttribute("aria-expanded", String(unfolded));
    text(parts.fold, unfolded ? "▾" : "▸");
    parts.region.dataset.ended = String(Boolean(end));
    this._drawFact(parts.server, view.server, `${view.label}: `);
    show(parts.ingress.box, Boolean(view.ingress));
    if (view.ingress) this._drawFact(parts.ingress, view.ingress);
    this._drawWay(shown);
    text(parts.warning, view.warning ? `▲ ${view.warning}` : "");
    show(parts.warning, Boolean(view.warning));
    this._drawButton(shown);
    this._drawStatus(shown);
    this._drawDetails(shown);
  }

  /** @param {Shown} shown */
  _drawHead(shown) {
    const { head, region, name, facts, note, newer, open, copy } = this._parts;
    const said = headOf(shown);
    head.box.dataset.mark = said.mark;
    text(head.mark, said.glyph);
    region.setAttribute("aria-label", said.label);
    text(name, said.name);
    show(name, Boolean(said.name));
    text(facts, said.facts);
    text(note, said.note);
    show(note, Boolean(said.note));
    text(newer, said.newer);
    show(newer, Boolean(said.newer));
    enable(open, Boolean(shown.url));
    enable(copy, Boolean(shown.url));
    if (shown.url) open.href = shown.url;
    else open.removeAttribute("href");
  }

  /**
   * @param {Parts["server"]} row
   * @param {Line} line
   */
  _drawFact(row, line, before = "") {
    row.box.dataset.mark = line.mark;
    text(row.mark, line.glyph);
    text(row.words, before + factOf(line));
  }

  /** @param {Shown} shown */
  _drawWay(shown) {
    const { reach, here, outside } = this._parts;
    const said = wayOf(shown);
    reach.box.dataset.mark = said.mark;
    text(reach.mark, said.glyph);
    text(here, said.here);
    text(outside, said.outside ? `\n${said.outside}` : "");
  }

  /** @param {Shown} shown */
  _drawButton({ view: { button }, asking, works }) {
    const { primary } = this._parts;
    show(primary, Boolean(button));
    if (!button) {
      text(primary, ""); // otherwise an old name would stay in it
      return;
    }
    text(primary, asking ? yes(button.label) : button.label);
    primary.dataset.action = button.action;
    enable(primary, works);
  }

  /**
   * What goes on, once in a page: below the line of the panel that speaks.
   * @param {Shown} shown
   */
  _drawStatus(shown) {
    const { status, undo, cancel, said: box, region } = this._parts;
    const { words, kind } = statusOf(shown);
    text(status, words);
    status.dataset.kind = kind;
    status.classList.toggle("dp-busy", kind === "busy");
    region.setAttribute("aria-busy", String(kind === "busy"));
    show(cancel, shown.asking);
    const offered = shown.speaks ? shown.view.activity.undo : null;
    show(undo, Boolean(offered) && shown.alive && !shown.asking && kind !== "busy");
    text(undo, offered?.label ?? "");
    show(box, Boolean(words));
    if (shown.speaks) this._announcer.say(words || (shown.end ? endOf(shown.end) : ""));
  }

  /** @param {Shown} shown */
  _drawDetails({ view, speaks, works, typing, page }) {
    const parts = this._parts;
    if (!typing && document.activeElement !== parts.range) parts.range.value = view.range;
    const error = rangeErrorOf(view);
    parts.range.setAttribute("aria-invalid", String(Boolean(error)));
    text(parts.error, error);
    if (error && speaks) this._announcer.say(error);
    enable(parts.set, works);
    enable(parts.reset, works);
    list(parts.kernels, view.kernels, kernelItem);
    list(parts.ways, view.ways, wayItem);
    list(parts.events, view.events, eventItem);
    show(parts.noKernels, !view.kernels.length);
    show(parts.pod, Boolean(page));
    parts.pod.href = page;
    show(parts.noEvents, !view.events.length);
  }
}

/** @param {KernelRow} kernel */
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

/** @param {WayRow} way */
function wayItem(way) {
  const item = make("li", "");
  item.append(make("strong", "", way.base));
  item.append(` · browser: ${way.browser} · kernel: ${way.kernel}`);
  return item;
}

/** @param {View["events"][number]} event */
function eventItem([moment, words]) {
  const item = make("li", "");
  const time = make("time", "", clock(moment, true));
  time.dateTime = new Date(moment * 1000).toISOString();
  item.append(time, `  ${words}`);
  return item;
}
