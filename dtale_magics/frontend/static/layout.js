// The elements of a panel: one line, and below it the part that unfolds.

import { button, make, random } from "./elements.js";

/** @typedef {ReturnType<typeof build>} Parts */

/**
 * Append a panel to `el`; returns its parts by name.
 * @param {HTMLElement} el
 */
export function build(el) {
  const key = random();
  const region = make("section", "dtale-panel");
  region.setAttribute("role", "region");
  const body = make("div", "dp-body");
  body.id = `dtale-panel-${key}`;

  const newer = button("");
  const open = make("a", "dp-button", "Open");
  open.target = "_blank";
  open.rel = "noopener noreferrer";
  const copy = button("Copy link");
  const fold = button("▸", "dp-fold");
  fold.setAttribute("aria-label", "More of this D-Tale");
  fold.setAttribute("aria-controls", body.id);
  const head = row(region, "head", newer, open, copy, fold);
  const name = make("strong", "dp-name");
  const facts = make("span", "dp-facts");
  const note = make("span", "dp-note");
  head.words.append(name, " ", facts, " ", note);
  region.append(body);

  const said = make("div", "dp-said");
  const status = make("div", "dp-status");
  const undo = button("Undo", "dp-undo");
  const cancel = button("Cancel");
  const side = make("div", "dp-buttons");
  side.append(undo, cancel);
  said.append(status, side);

  const server = row(body, "server");
  const primary = button("", "dp-primary");
  const ingress = row(body, "ingress", primary);
  const reach = row(body, "reach");
  const here = make("span", "dp-here");
  const outside = make("span", "dp-outside");
  reach.words.append(here, outside);
  const warning = make("div", "dp-warning");
  body.append(warning, said);

  const details = make("details", "");
  details.append(make("summary", "", "Details"));
  const { form, range, set, reset, error } = rangeForm(key);
  const kernels = make("ul", "dp-kernels");
  const noKernels = make("div", "dp-faint", "none");
  const pod = make("a", "dp-pod", "One page for all of them");
  pod.target = "_blank";
  pod.rel = "noopener";
  const ways = make("ul", "dp-ways");
  const events = make("ul", "dp-events");
  events.tabIndex = 0; // it scrolls
  events.setAttribute("aria-label", "What happened");
  const noEvents = make("div", "dp-faint", "none yet");
  details.append(
    form,
    make("h4", "", "Notebooks running D-Tale"),
    kernels,
    noKernels,
    pod,
    make("h4", "", "Ways to it"),
    ways,
    make("h4", "", "What happened"),
    events,
    noEvents,
  );
  body.append(details);
  el.append(region);
  return {
    region,
    head,
    name,
    facts,
    note,
    newer,
    open,
    copy,
    fold,
    body,
    server,
    ingress,
    primary,
    reach,
    here,
    outside,
    warning,
    said,
    status,
    undo,
    cancel,
    form,
    range,
    set,
    reset,
    error,
    kernels,
    noKernels,
    pod,
    ways,
    events,
    noEvents,
  };
}

/**
 * @param {HTMLElement} parent
 * @param {string} name
 * @param {HTMLElement[]} buttons
 */
function row(parent, name, ...buttons) {
  const box = make("div", `dp-row dp-${name}`);
  const mark = make("span", "dp-mark");
  mark.setAttribute("aria-hidden", "true");
  const words = make("div", "dp-text");
  const group = make("div", "dp-buttons");
  group.append(...buttons);
  box.append(mark, words, group);
  parent.append(box);
  return { box, mark, words };
}

/** @param {string} key makes ids unique */
function rangeForm(key) {
  const form = make("form", "");
  const label = make("label", "", "Look for ports in");
  const range = make("input", "");
  label.htmlFor = range.id = `dtale-range-${key}`;
  range.type = "text";
  range.autocomplete = "off";
  range.spellcheck = false;
  const set = button("Set");
  set.type = "submit";
  const reset = button("Reset");
  reset.title = "Return to the configured range";
  const error = make("div", "dp-error");
  error.id = `dtale-error-${key}`;
  range.setAttribute("aria-describedby", error.id);
  form.append(label, range, set, reset, error);
  return { form, range, set, reset, error };
}
