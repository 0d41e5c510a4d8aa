// Making elements, and changing only what differs. Everything from outside is set as textContent
// or as an attribute of a known kind, never as HTML.

export function make(tag, className, words = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (words) node.textContent = words;
  return node;
}

export function button(words, className = "") {
  const node = make("button", className, words);
  node.type = "button";
  return node;
}

/** Change a text only if it differs, so that a selection in it stays. */
export function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** Switch a button off without taking the focus from it. */
export function enable(node, enabled) {
  node.setAttribute("aria-disabled", String(!enabled));
}

export const isEnabled = (node) => node.getAttribute("aria-disabled") !== "true";

/** Fill `parent` anew, but only if something has changed. */
export function list(parent, items, render) {
  const key = JSON.stringify(items);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  parent.replaceChildren(...items.map(render));
}

/** A time of day on the reader's clock, with the day if that is not today. */
export function clock(moment, seconds = false) {
  const date = new Date(moment * 1000);
  const options = { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) };
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? "" : `${date.toLocaleDateString()} `;
  return day + date.toLocaleTimeString([], options);
}

export async function copyText(words, parent) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const field = make("textarea", ""); // the way of pages without a secure context
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

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
