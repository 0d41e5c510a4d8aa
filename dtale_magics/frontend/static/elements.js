// Making elements, and changing only what differs. Everything from outside is set as textContent
// or as an attribute of a known kind, never as HTML.

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, className, words = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (words) node.textContent = words;
  return node;
}

/** @param {string} words */
export function button(words, className = "") {
  const node = make("button", className, words);
  node.type = "button";
  return node;
}

/**
 * Change a text only if it differs, so that a selection in it stays.
 * @param {Element} node
 * @param {string} words
 */
export function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/**
 * @param {HTMLElement} node
 * @param {boolean} visible
 */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/**
 * Switch a button off without taking the focus from it.
 * @param {Element} node
 * @param {boolean} enabled
 */
export function enable(node, enabled) {
  node.setAttribute("aria-disabled", String(!enabled));
}

/** @param {Element} node */
export const isEnabled = (node) => node.getAttribute("aria-disabled") !== "true";

/**
 * Fill `parent` anew, but only if something has changed.
 * @template Item
 * @param {HTMLElement} parent
 * @param {Item[]} items
 * @param {(item: Item) => Node} render
 */
export function list(parent, items, render) {
  const key = JSON.stringify(items);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  parent.replaceChildren(...items.map(render));
}

/**
 * A time of day on the reader's clock, with the date if it is not today's.
 * @param {number} moment seconds since the epoch
 */
export function clock(moment, seconds = false, now = new Date()) {
  const date = new Date(moment * 1000);
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) };
  const today = date.toDateString() === now.toDateString();
  const day = today ? "" : `${date.toLocaleDateString()} `;
  return day + date.toLocaleTimeString([], options);
}

/**
 * @param {string} words
 * @param {HTMLElement} parent
 */
export async function copyText(words, parent) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const field = make("textarea", ""); // for pages without a secure context
    field.value = words;
    parent.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

export function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
