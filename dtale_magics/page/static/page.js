// The pod's page: asks what there is while somebody looks, and shows the grid of one frame.

import { address, choose, gridUrl, read, remember, shape } from "./notebooks.js";

const ASK_MILLISECONDS = 700;
const PATIENCE_MILLISECONDS = 4000;
const PAUSE_MILLISECONDS = 3600e3; // without a key or a movement: an open page must not keep a pod alive
const KEPT = "dtale_magics.notebooks";

const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");

let notebooks = kept();
let root = "";
let trouble = "";
let failures = 0;
let asking = null;
let drawn = "";
let loaded = "";
let iframe = null;
let lastInput = performance.now();

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(notebooks));
  } catch {
    // without storage, a reload forgets what has ended
  }
}

// ---------------------------------------------------------------- asking

async function ask() {
  clearTimeout(asking);
  if (document.hidden) return;
  if (performance.now() - lastInput > PAUSE_MILLISECONDS) {
    trouble = "Paused, as nobody has been here for an hour. Move the pointer or press a key to go on.";
    draw();
    return;
  }
  try {
    const answer = await fetch("_pod/state", { signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) });
    if (answer.status === 404) {
      trouble = "This link is dead: it was replaced. To get the new one, type in a notebook: %dtale --page";
    } else if (!answer.ok) {
      throw new Error(answer.status);
    } else {
      const state = await answer.json();
      [failures, trouble, root] = [0, "", state.root];
      notebooks = remember(notebooks, state.notebooks);
      keep();
    }
  } catch {
    failures += 1;
    if (failures > 1) {
      trouble = "No notebook answers. This page goes on by itself as soon as one runs: %dtale df";
      notebooks = remember(notebooks, []);
    }
  }
  draw();
  clearTimeout(asking);
  asking = setTimeout(ask, ASK_MILLISECONDS);
}

function somebodyIsHere() {
  const paused = performance.now() - lastInput > PAUSE_MILLISECONDS;
  lastInput = performance.now();
  if (paused) ask();
}

// --------------------------------------------------------------- drawing

function draw() {
  const selection = choose(notebooks, read(location.hash));
  const { notebook, frame } = selection;
  const view = JSON.stringify([notebooks, notebook?.owner, frame?.id, selection.follows]);
  if (view !== drawn) {
    drawn = view;
    drawNotebooks(selection);
    drawTools(selection);
  }
  const note = trouble || (root || notebooks.length ? (selection.note ?? "") : "");
  if (byId("note").textContent !== note) byId("note").textContent = note;
  byId("note").hidden = !note;
  drawGrid(selection);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawNotebooks({ notebook: shown, frame: current }) {
  const nav = byId("notebooks");
  const focused = nav.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const scrolled = [nav.scrollLeft, nav.scrollTop];
  nav.replaceChildren(
    ...notebooks.map((one) => {
      const frames = one.frames.map((frame) => {
        const link = element(
          "a",
          { className: "frame", href: address(notebooks, one, frame) },
          `${frame.name} `,
          element("small", { textContent: shape(frame) }),
        );
        const isCurrent = one.owner === shown?.owner && frame.id === current?.id;
        if (isCurrent) link.setAttribute("aria-current", "true");
        return element("li", {}, link);
      });
      const none = element("li", { className: "none", textContent: "no frame yet" });
      const section = element(
        "section",
        { className: "notebook" },
        element("h2", { textContent: one.label }),
        ...marks(one),
        element("ul", {}, ...(frames.length || !one.responding ? frames : [none])),
      );
      if (one.ended) section.append(forgetButton(one));
      return section;
    }),
  );
  [nav.scrollLeft, nav.scrollTop] = scrolled;
  const again = [...nav.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused);
  if (again) again.focus({ preventScroll: true });
  else nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function marks({ front, responding, ended }) {
  const found = [];
  if (front) found.push(["front", "in front"]);
  if (ended) found.push(["ended", "has ended"]);
  else if (!responding) found.push(["silent", "does not respond"]);
  return found.map(([kind, text]) => element("span", { className: `mark ${kind}`, textContent: text }));
}

function forgetButton(one) {
  const button = element("button", { className: "forget", type: "button", textContent: "×" });
  button.setAttribute("aria-label", `Forget ${one.label}`);
  button.addEventListener("click", () => {
    notebooks = notebooks.filter((other) => other.owner !== one.owner);
    keep();
    draw();
  });
  return button;
}

function drawTools({ follows, notebook, frame }) {
  const front = notebooks.find((one) => one.front);
  const follow = byId("follow");
  follow.textContent = follows
    ? `Following ${front ? front.label : "the one in front"}`
    : `Follow ${front ? front.label : "the one in front"}`;
  follow.title = follows
    ? "This page shows the notebook in front, whichever that is. Choose a frame to stay there."
    : "Show the notebook in front, whichever that is";
  if (follows) follow.setAttribute("aria-current", "true");
  else follow.removeAttribute("aria-current");
  byId("copy").hidden = !frame;
  byId("menu").textContent = frame ? `${frame.name} · ${notebook.label}` : "Notebooks";
  document.title = frame ? `${frame.name} · ${notebook.label}` : "D-Tale";
}

// ------------------------------------------------------------------ grid

function drawGrid({ notebook, frame }) {
  const url = notebook?.ended ? "" : gridUrl(root, notebook, frame, dark.matches ? "dark" : "light");
  const isStale = Boolean(trouble || (notebook && (notebook.ended || !notebook.responding)));
  const key = frame ? `${notebook.owner} ${frame.id}` : "";
  const version = `${url} ${frame?.shown}`; // shown anew, its columns may be others
  iframe?.classList.toggle("stale", isStale);
  if (isStale) {
    if (iframe?.dataset.frame !== key) clearGrid(); // else, what was loaded can still be read
    return;
  }
  if (!url) {
    if (root) clearGrid();
    return;
  }
  if (version === loaded) return;
  loaded = version;
  // A new element, as a change of its address would be an entry in the browser's history.
  const fresh = element("iframe", { src: url, title: `${frame.name} of ${notebook.label}` });
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

function listenTo(page) {
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    page?.addEventListener(kind, somebodyIsHere, { passive: true });
  }
}

function openMenu(isOpen) {
  byId("notebooks").classList.toggle("open", isOpen);
  byId("menu").setAttribute("aria-expanded", String(isOpen));
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
  const links = [...byId("notebooks").querySelectorAll(".frame")];
  const here = links.indexOf(document.activeElement);
  const steps = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1 };
  const ends = { Home: 0, End: links.length - 1 };
  const to = links[{ ...steps, ...ends }[event.key]];
  if (event.key === "Escape") {
    openMenu(false);
    byId("menu").focus();
  } else if (here >= 0 && to) {
    event.preventDefault();
    to.focus();
  }
});

byId("copy").addEventListener("click", async () => {
  const { notebook, frame } = choose(notebooks, read(location.hash));
  if (!frame) return;
  const url = new URL(address(notebooks, notebook, frame), location.href).href;
  const copied = await copy(url);
  byId("copy").textContent = copied ? "Copied" : "Copy link";
  if (!copied) prompt("The browser does not let a page copy here. The link:", url);
  setTimeout(() => {
    byId("copy").textContent = "Copy link";
  }, 2000);
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { value: text });
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy"); // pages over plain HTTP have nothing else
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
