// The page of a look-only link: rows as they are scrolled to, for this reader alone.

import { byId, element, say } from "./elements.js";
import { filtered, hashOf, hintFor, isNumber, readView, sorted } from "./view.js";

/** @import { Cell, Column, Part, View } from "./types.d.ts" */

const ROW_PIXELS = 28;
/** Beyond some tens of millions of pixels, browsers no longer place anything exactly. */
const MAX_PIXELS = 8e6;
const COUNT = 100;
const TYPE_MILLISECONDS = 350;
const LONG_TEXT = 40;
const DEAD = "This link has expired or was revoked, or the frame is gone. Ask for a new one.";
const SILENT = "The notebook does not answer now; it is tried again.";

const pane = byId("rows");
const [head, body] = pane.querySelectorAll("thead, tbody");
const shown = { first: 0, end: 0, total: 0, columns: "" };

let view = readView(location.hash);
/** How many rows share one row's height, if the table would become too tall. */
let scale = 1;
let asked = 0;
let typing = 0;
let scrolling = 0;

/** @param {number} first */
async function load(first) {
  asked += 1;
  const number = asked;
  const again = (/** @type {number} */ pause) =>
    setTimeout(() => number === asked && load(first), pause);
  const wanted = { sort: view.sort, filters: Object.entries(view.filters) };
  const query = `first=${first}&count=${COUNT}&view=${encodeURIComponent(JSON.stringify(wanted))}`;
  try {
    const answer = await fetch(`_pod/rows?${query}`);
    if (number !== asked) return; // somebody has scrolled or typed on
    if (answer.status === 404) {
      pane.hidden = true;
      say(DEAD);
      return;
    }
    const part = await answer.json();
    say(part.error ?? "");
    if (answer.ok) draw(part, first);
    else if (answer.status === 503) again(1000);
  } catch {
    if (number !== asked) return;
    say(SILENT);
    again(2000);
  }
}

// --------------------------------------------------------------- drawing

/**
 * @param {Part} part
 * @param {number} first
 */
function draw(part, first) {
  const columns = JSON.stringify(part.columns);
  if (columns !== shown.columns) drawHead(part.columns);
  Object.assign(shown, { first, end: first + part.rows.length, total: part.total, columns });
  const until = new Date(part.expires * 1000).toLocaleString([], {
    dateStyle: "medium",
    timeStyle: "short",
  });
  const rows = part.total === 1 ? "1 row" : `${part.total.toLocaleString("en")} rows`;
  document.title = part.name;
  byId("name").textContent = part.name;
  byId("about").textContent = `${rows} · look only, until ${until}`;
  markSorting();
  drawRows(part, first);
}

/** @param {Column[]} columns */
function drawHead(columns) {
  const cells = columns.map(({ name, type }) => {
    const button = element("button", { type: "button", textContent: name, title: type });
    button.addEventListener("click", (event) => change(sorted(view, name, event.shiftKey)));
    const filter = element("input", {
      type: "search",
      maxLength: 200,
      placeholder: hintFor(type),
      value: view.filters[name] ?? "",
      ariaLabel: `Filter ${name}`,
    });
    filter.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => change(filtered(view, name, filter.value)), TYPE_MILLISECONDS);
    });
    const cell = element("th", { scope: "col" }, button, filter);
    cell.dataset.name = name;
    return cell;
  });
  head.replaceChildren(element("tr", {}, ...cells));
}

function markSorting() {
  for (const cell of head.querySelectorAll("th")) {
    const name = cell.dataset.name ?? "";
    const found = view.sort.find(([one]) => one === name);
    const [order, arrow] = found?.[1] ? ["ascending", " ↑"] : ["descending", " ↓"];
    cell.ariaSort = found ? order : "none";
    const button = cell.querySelector("button");
    if (button) button.textContent = found ? name + arrow : name;
  }
}

/**
 * @param {Part} part
 * @param {number} first
 */
function drawRows(part, first) {
  const kinds = part.columns.map(({ type }) => (isNumber(type) ? "number" : ""));
  const rows = part.rows.map((cells) =>
    element("tr", {}, ...cells.map((value, place) => drawCell(value, kinds[place]))),
  );
  const height = Math.min(part.total * ROW_PIXELS, MAX_PIXELS);
  scale = height ? (part.total * ROW_PIXELS) / height : 1;
  const above = (first * ROW_PIXELS) / scale;
  const below = Math.max(0, height - above - rows.length * ROW_PIXELS);
  body.replaceChildren(room(above), ...rows, room(below));
}

/**
 * @param {Cell} value
 * @param {string} kind
 */
function drawCell(value, kind) {
  const textContent = value === null ? "nan" : String(value);
  const className = value === null ? `${kind} missing`.trim() : kind;
  const title = textContent.length > LONG_TEXT ? textContent : "";
  return element("td", { className, textContent, title });
}

/** @param {number} pixels */
function room(pixels) {
  const cell = element("td", { colSpan: 1000 });
  cell.style.height = `${pixels}px`;
  return element("tr", { className: "room", ariaHidden: "true" }, cell);
}

// ----------------------------------------------------------------- hands

/** @param {View} wanted */
function change(wanted) {
  view = wanted;
  history.replaceState(null, "", hashOf(view) || location.pathname);
  markSorting();
  pane.scrollTop = 0;
  load(0);
}

function scrolled() {
  const top = Math.floor((pane.scrollTop / ROW_PIXELS) * scale);
  const end = top + Math.ceil(pane.clientHeight / ROW_PIXELS);
  if (top >= shown.first && (end <= shown.end || shown.end >= shown.total)) return;
  load(Math.max(0, Math.min(top - 30, shown.total - COUNT)));
}

pane.addEventListener("scroll", () => {
  cancelAnimationFrame(scrolling);
  scrolling = requestAnimationFrame(scrolled);
});
addEventListener("resize", scrolled);
addEventListener("focus", () => load(shown.first));
load(0);
