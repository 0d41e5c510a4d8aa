// What a panel says, from what is known: functions without side effects. Python has written most of
// it already (panel/view.py); this adds what only the page knows.

import { clock } from "./elements.js";

/** @import { End, Line, Shown } from "./types.d.ts" */

const GLYPHS = { lost: "✗", stranger: "▲" };

/**
 * The one line that is always visible.
 * @param {Shown} shown
 */
export function headOf({ view, frame, end, concern, instead }) {
  const { title, name, shape, note, newer, gone } = frame;
  const unreached = concern === "unreached";
  let mark = view.server.mark;
  let glyph = view.server.glyph;
  if (end || gone || unreached) [mark, glyph] = ["lost", GLYPHS.lost];
  else if (note || view.warning) [mark, glyph] = ["stranger", GLYPHS.stranger];
  let brief = view.brief;
  if (end) brief = end.brief;
  else if (unreached) brief = "not seen from this browser";
  const facts = title ? [shape, brief] : [brief];
  return {
    mark,
    glyph,
    label: title ? `D-Tale: ${name}` : `D-Tale of ${view.label}`,
    name: gone ? "" : name || view.label,
    facts: gone || facts.filter(Boolean).join(" · "),
    note: gone ? "" : instead ? `Newer than this cell: ${note}` : note,
    newer: newer && !end ? (instead ? "Back to this cell’s" : "Show the newer one here") : "",
  };
}

/**
 * A fact with its time on the reader's clock.
 * @param {Line} line
 */
export function factOf(line) {
  const since = line.since === null ? "" : ` since ${clock(line.since)}`;
  return `${line.text}${since}${line.note ? `, ${line.note}` : ""}`;
}

/**
 * The way by which the page shows the grid. The page knows it first; the kernel knows why.
 * @param {Shown} shown
 */
export function wayOf({ view, best, tried }) {
  const { mark, glyph, text, note } = view.outside;
  if (best) {
    const here = `This page shows it ${best.way}: ${best.url}`;
    return { mark: "ours", glyph: "✓", here, outside: mark === "ours" ? note : "" };
  }
  if (!tried)
    return { mark, glyph: "…", here: "This page looks for the way to it …", outside: note };
  return { mark, glyph, here: text, outside: note };
}

/**
 * What goes on, and of which kind it is.
 * @param {Shown} shown
 */
export function statusOf({ view, end, asking, pending, note, speaks, hasGrid }) {
  if (!speaks) return { words: "", kind: "none" };
  if (end) return { words: hasGrid ? "" : endOf(end, "\n"), kind: "bad" };
  if (asking && view.button) return { words: view.button.confirm, kind: "ask" };
  const { doing, said } = view.activity;
  if (doing || pending) return { words: note || doing || pending, kind: "busy" };
  if (note) return { words: note, kind: "bad" };
  if (view.news) return { words: `› ${view.news}`, kind: "news" };
  if (!said || rangeErrorOf(view)) return { words: "", kind: "none" };
  return { words: resultOf(said), kind: said.ok ? "good" : "bad" };
}

/**
 * What is wrong with the range that was typed; shown beside its field.
 * @param {Shown["view"]} view
 */
export function rangeErrorOf({ activity: { said } }) {
  return said && said.action === "range" && !said.ok ? resultOf(said) : "";
}

/**
 * Why a D-Tale is gone, and what to do.
 * @param {End} end
 */
export function endOf({ text, hint }, between = " ") {
  return `${text}${between}${hint}`;
}

/** @param {{ ok: boolean, text: string, hint: string }} said */
function resultOf({ ok, text, hint }) {
  return `${ok ? "✓" : "✗"} ${text}${hint ? `\n${hint}` : ""}`;
}

/**
 * A button's words below "Yes: ".
 * @param {string} words
 */
export function yes(words) {
  return `Yes: ${words.charAt(0).toLowerCase()}${words.slice(1)}`;
}
