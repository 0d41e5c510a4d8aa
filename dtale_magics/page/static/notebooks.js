// What the page shows, as plain values: no DOM, so that it can be tested without a browser.

/** @import { Frame, Notebook, Selection, Wanted } from "./types.d.ts" */

const MAX_ENDED = 20;

/**
 * Merge what the server says now into what is known: a notebook that is silent keeps its frames, and
 * one that is gone stays listed as ended until there is a new one with its name.
 *
 * @param {Notebook[]} known
 * @param {Notebook[]} listing
 * @returns {Notebook[]}
 */
export function remember(known, listing) {
  const before = new Map(known.map((one) => [one.owner, one]));
  const living = listing.map((one) => {
    const old = before.get(one.owner);
    if (one.responding || !old) return { ...one, ended: false };
    return { ...one, label: old.label, slug: old.slug, frames: old.frames, ended: false };
  });
  const owners = new Set(living.map((one) => one.owner));
  const fresh = living.filter((one) => !before.has(one.owner)).map((one) => one.label);
  const ended = known
    .filter((one) => !owners.has(one.owner) && !fresh.includes(one.label) && one.frames.length)
    .map((one) => ({ ...one, front: false, responding: false, ended: true }));
  return [...living, ...ended.slice(-MAX_ENDED)];
}

/**
 * The address of a frame within the page. It names notebook and frame as people do, so that it means
 * the same after a restart; the owner id is added if two notebooks have the same name.
 *
 * @param {Notebook[]} notebooks
 * @param {Notebook} notebook
 * @param {Frame} frame
 */
export function address(notebooks, notebook, frame) {
  const alike = notebooks.filter((one) => one.label === notebook.label).length > 1;
  const owner = alike ? `@${notebook.owner.slice(0, 6)}` : "";
  return `#${encodeURIComponent(notebook.label)}${owner}/${encodeURIComponent(frame.name)}`;
}

/**
 * Read such an address; null if there is none: then the page follows the notebook in front.
 *
 * @param {string} hash
 * @returns {Wanted | null}
 */
export function read(hash) {
  const found = /^#([^/@]+)(?:@([0-9a-f]{1,16}))?\/([^/]+)$/.exec(hash);
  if (!found) return null;
  try {
    const [label, frame] = [found[1], found[3]].map(decodeURIComponent);
    return { label, owner: found[2] ?? "", frame };
  } catch {
    return null;
  }
}

/**
 * Which notebook and frame to show, and what to say about it.
 *
 * @param {Notebook[]} notebooks
 * @param {Wanted | null} wanted
 * @returns {Selection}
 */
export function choose(notebooks, wanted) {
  return wanted ? chosen(notebooks, wanted) : following(notebooks);
}

/**
 * @param {Notebook[]} notebooks
 * @returns {Selection}
 */
function following(notebooks) {
  const notebook = notebooks.find((one) => one.front);
  if (!notebook) return { follows: true, note: "No notebook is in front now." };
  const frame = latest(notebook);
  if (frame) return { follows: true, notebook, frame, note: silence(notebook) };
  const none = `${notebook.label} is in front, and shows no frame yet. Type there: %dtale df`;
  return { follows: true, notebook, note: silence(notebook) || none };
}

/**
 * @param {Notebook[]} notebooks
 * @param {Wanted} wanted
 * @returns {Selection}
 */
function chosen(notebooks, { label, owner, frame: name }) {
  const named = notebooks.filter((one) => one.label === label);
  const notebook = named.find((one) => owner && one.owner.startsWith(owner)) ?? named[0];
  if (!notebook) {
    const note = `${label} has no kernel here now. ${AGAIN}`;
    return { follows: false, note };
  }
  const frame = notebook.frames.find((one) => one.name === name);
  if (frame) return { follows: false, notebook, frame, note: silence(notebook) };
  const gone = `${label} shows no ${name} now. Run its cell again, or choose another frame.`;
  return { follows: false, notebook, note: silence(notebook) || gone };
}

const AGAIN = "Its frames are here again when its cells have run.";

/** @param {Notebook} notebook */
function silence({ label, ended, responding }) {
  if (ended) return `The kernel of ${label} has ended. ${AGAIN}`;
  if (responding) return "";
  return (
    `${label} does not respond now: it is suspended, computes without a pause, or runs another ` +
    "version of dtale_magics."
  );
}

/**
 * @param {Notebook} notebook
 * @returns {Frame | undefined}
 */
function latest({ frames }) {
  return [...frames].sort((one, other) => other.shown - one.shown)[0];
}

/**
 * The URL of a frame's grid; "" if that is not known.
 *
 * @param {string} root
 * @param {Notebook | undefined} notebook
 * @param {Frame | undefined} frame
 * @param {string} theme
 */
export function gridUrl(root, notebook, frame, theme) {
  if (!notebook?.slug || !frame) return "";
  return `${root}${notebook.slug}/dtale/main/${encodeURIComponent(frame.id)}?page-theme=${theme}`;
}

/** @param {Frame} frame */
export function shape({ rows, columns }) {
  return `${rows.toLocaleString("en")} × ${columns.toLocaleString("en")}`;
}
