// The pod's page: while somebody looks, it asks what there is, and shows the grid of one frame.

import { drawNotebooks, drawTools, openMenu } from "./drawing.js";
import { byId, element, say } from "./elements.js";
import { address, choose, gridUrl, read, remember } from "./notebooks.js";

/** @import { Notebook, Selection } from "./types.d.ts" */

const ASK_MILLISECONDS = 700;
const PATIENCE_MILLISECONDS = 4000;
/** Limit without a key or a movement: an abandoned page must not keep a pod from being culled. */
const PAUSE_MILLISECONDS = 3600e3;
const KEPT = "dtale_magics.notebooks";
const DEAD =
  "This link is dead: it was replaced. For the new one, type in a notebook: %dtale --page";
const NOBODY = "No notebook answers. This page goes on as soon as one runs: %dtale df";
const PAUSED = "Paused, as nobody was here for an hour. Move the pointer or press a key to go on.";

const dark = matchMedia("(prefers-color-scheme: dark)");

let notebooks = kept();
let root = "";
let trouble = "";
let failures = 0;
let asking = 0;
let drawn = "";
let loaded = "";
/** @type {HTMLIFrameElement | null} */
let iframe = null;
let lastInput = performance.now();

/** @returns {Notebook[]} */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Notebook[]} now */
function know(now) {
  notebooks = now;
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(notebooks));
  } catch {
    // without storage, a reload forgets which notebooks have ended
  }
}

// ---------------------------------------------------------------- asking

const isPaused = () => performance.now() - lastInput > PAUSE_MILLISECONDS;

async function ask() {
  clearTimeout(asking);
  if (document.hidden) return;
  if (isPaused()) trouble = PAUSED;
  else await look();
  draw();
  clearTimeout(asking);
  if (!isPaused() && !document.hidden) asking = setTimeout(ask, ASK_MILLISECONDS);
}

async function look() {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    const answer = await fetch("_pod/state", { signal });
    if (answer.status === 404) {
      trouble = DEAD;
      return;
    }
    const state = await answer.json();
    [failures, trouble, root] = [0, "", state.root];
    know(remember(notebooks, state.notebooks));
  } catch {
    failures += 1;
    if (failures < 2) return; // a kernel that is killed may lose one request
    trouble = NOBODY;
    know(remember(notebooks, []));
  }
}

function somebodyIsHere() {
  const wasPaused = isPaused();
  lastInput = performance.now();
  if (wasPaused) ask();
}

// --------------------------------------------------------------- drawing

function draw() {
  const selection = choose(notebooks, read(location.hash));
  const { follows, notebook, frame } = selection;
  const view = JSON.stringify([notebooks, notebook?.owner, frame?.id, follows]);
  if (view !== drawn) {
    drawn = view;
    drawNotebooks(notebooks, selection, (one) => {
      know(notebooks.filter((other) => other.owner !== one.owner));
      draw();
    });
    drawTools(notebooks, selection);
  }
  const knows = root || notebooks.length;
  say(trouble || (knows ? selection.note : ""));
  drawGrid(selection);
}

/** @param {Selection} selection */
function drawGrid({ notebook, frame }) {
  const url = gridUrl(root, notebook, frame, dark.matches ? "dark" : "light");
  const isStale = Boolean(trouble || (notebook && !notebook.responding));
  const key = notebook && frame ? `${notebook.owner} ${frame.id}` : "";
  const version = `${url} ${frame?.shown}`; // shown anew, its columns may differ
  iframe?.classList.toggle("stale", isStale);
  if (isStale || !url) {
    if (iframe?.dataset.frame !== key) clearGrid(); // otherwise, what was loaded can still be read
    return;
  }
  if (version === loaded) return;
  loaded = version;
  // A new element, because changing its address would add an entry to the browser's history.
  const fresh = element("iframe", { src: url, title: `${frame?.name} of ${notebook?.label}` });
  fresh.dataset.frame = key;
  fresh.addEventListener("load", () => listenTo(fresh.contentDocument));
  byId("grid").replaceChildren(fresh);
  iframe = fresh;
}

function clearGrid() {
  loaded = "";
  iframe = null;
  byId("grid").replaceChildren();
}

// ----------------------------------------------------------------- hands

/** @param {Document | null} page */
function listenTo(page) {
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    page?.addEventListener(kind, somebodyIsHere, { passive: true });
  }
}

byId("menu").addEventListener("click", () => {
  openMenu(byId("menu").getAttribute("aria-expanded") === "false");
});

byId("follow").addEventListener("click", (event) => {
  event.preventDefault();
  if (location.hash) history.pushState(null, "", location.pathname + location.search);
  openMenu(false);
  draw();
});

byId("notebooks").addEventListener("keydown", (event) => {
  const links = [...byId("notebooks").querySelectorAll("a")];
  const here = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
  /** @type {Record<string, number>} */
  const places = {
    ArrowRight: here + 1,
    ArrowDown: here + 1,
    ArrowLeft: here - 1,
    ArrowUp: here - 1,
    Home: 0,
    End: links.length - 1,
  };
  if (event.key === "Escape") {
    openMenu(false);
    byId("menu").focus();
  } else if (here >= 0 && event.key in places) {
    event.preventDefault();
    links[places[event.key]]?.focus();
  }
});

byId("copy").addEventListener("click", async () => {
  const { notebook, frame } = choose(notebooks, read(location.hash));
  if (!notebook || !frame) return;
  const url = new URL(address(notebooks, notebook, frame), location.href).href;
  if (!(await copy(url))) {
    prompt("The browser does not let this page copy. The link:", url);
    return;
  }
  byId("copy").textContent = "Copied";
  setTimeout(() => {
    byId("copy").textContent = "Copy link";
  }, 2000);
});

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { value: text });
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy"); // over plain HTTP, there is no other way
    field.remove();
    return copied;
  }
}

addEventListener("hashchange", () => {
  openMenu(false);
  draw();
});
addEventListener("popstate", draw);
document.addEventListener("visibilitychange", ask);
dark.addEventListener("change", draw);
listenTo(document);
ask();
