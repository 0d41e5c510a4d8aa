// Draws the line of notebooks and frames, and the page's buttons.

import { byId, element } from "./elements.js";
import { address, shape } from "./notebooks.js";

/** @import { Notebook, Selection } from "./types.d.ts" */

/**
 * @param {Notebook[]} notebooks
 * @param {Selection} selection
 * @param {(notebook: Notebook) => void} forget
 */
export function drawNotebooks(notebooks, selection, forget) {
  const nav = byId("notebooks");
  const focused = nav.contains(document.activeElement)
    ? document.activeElement?.getAttribute("href")
    : null;
  const scrolled = [nav.scrollLeft, nav.scrollTop];
  nav.replaceChildren(...notebooks.map((one) => drawNotebook(notebooks, one, selection, forget)));
  [nav.scrollLeft, nav.scrollTop] = scrolled;
  const links = [...nav.querySelectorAll("a")];
  const again = links.find((link) => link.getAttribute("href") === focused);
  if (again) again.focus({ preventScroll: true });
  else {
    const current = nav.querySelector("[aria-current]");
    current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

/**
 * @param {Notebook[]} notebooks
 * @param {Notebook} one
 * @param {Selection} selection
 * @param {(notebook: Notebook) => void} forget
 */
function drawNotebook(notebooks, one, selection, forget) {
  const frames = one.frames.map((frame) => {
    const size = element("small", { textContent: shape(frame) });
    const href = address(notebooks, one, frame);
    const link = element("a", { className: "frame", href }, `${frame.name} `, size);
    const isShown = one.owner === selection.notebook?.owner && frame.id === selection.frame?.id;
    if (isShown) link.setAttribute("aria-current", "true");
    return element("li", {}, link);
  });
  if (!frames.length && one.responding) {
    frames.push(element("li", { className: "none", textContent: "no frame yet" }));
  }
  const name = element("h2", { textContent: one.label });
  const list = element("ul", {}, ...frames);
  const section = element("section", { className: "notebook" }, name, ...marks(one), list);
  if (one.ended) {
    const button = element("button", { className: "forget", type: "button", textContent: "×" });
    button.setAttribute("aria-label", `Forget ${one.label}`);
    button.addEventListener("click", () => forget(one));
    section.append(button);
  }
  return section;
}

/** @param {Notebook} notebook */
function marks({ front, responding, ended }) {
  /** @type {[string, string][]} */
  const found = [];
  if (front) found.push(["front", "in front"]);
  if (ended) found.push(["ended", "has ended"]);
  else if (!responding) found.push(["silent", "does not respond"]);
  return found.map(([kind, textContent]) =>
    element("span", { className: `mark ${kind}`, textContent }),
  );
}

/**
 * @param {Notebook[]} notebooks
 * @param {Selection} selection
 */
export function drawTools(notebooks, { follows, notebook, frame }) {
  const front = notebooks.find((one) => one.front)?.label ?? "the one in front";
  const follow = byId("follow");
  follow.textContent = `${follows ? "Following" : "Follow"} ${front}`;
  follow.title = follows
    ? "This page shows the notebook in front, whichever that is. Choose a frame to stay there."
    : "Show the notebook in front, whichever that is";
  if (follows) follow.setAttribute("aria-current", "true");
  else follow.removeAttribute("aria-current");
  byId("copy").hidden = !frame;
  const shown = frame && notebook ? `${frame.name} · ${notebook.label}` : "";
  byId("menu").textContent = shown || "Notebooks";
  document.title = shown || "D-Tale";
}

/** @param {boolean} isOpen */
export function openMenu(isOpen) {
  byId("notebooks").classList.toggle("open", isOpen);
  byId("menu").setAttribute("aria-expanded", String(isOpen));
}
