// How somebody who only looks sees a frame: its sorting and filters, as plain values. They are in
// the address, so that a reload keeps them.

/** @import { View } from "./types.d.ts" */

/**
 * @param {string} hash
 * @returns {View}
 */
export function readView(hash) {
  try {
    const { sort, filters } = JSON.parse(decodeURIComponent(hash.slice(1)));
    return { sort: Array.isArray(sort) ? sort : [], filters: { ...filters } };
  } catch {
    return { sort: [], filters: {} };
  }
}

/** @param {View} view */
export function hashOf(view) {
  const isPlain = !view.sort.length && !Object.keys(view.filters).length;
  return isPlain ? "" : `#${encodeURIComponent(JSON.stringify(view))}`;
}

/**
 * Sort after one more click on a column: ascending, descending, then not at all.
 *
 * @param {View} view
 * @param {string} name
 * @param {boolean} adds Whether the other columns stay.
 * @returns {View}
 */
export function sorted(view, name, adds) {
  const before = view.sort.find(([one]) => one === name);
  const others = adds ? view.sort.filter(([one]) => one !== name) : [];
  if (!before) return { ...view, sort: [...others, [name, true]] };
  return { ...view, sort: before[1] ? [...others, [name, false]] : others };
}

/**
 * @param {View} view
 * @param {string} name
 * @param {string} typed
 * @returns {View}
 */
export function filtered(view, name, typed) {
  const { [name]: _, ...filters } = view.filters;
  return { ...view, filters: typed.trim() ? { ...filters, [name]: typed.trim() } : filters };
}

/** @param {string} type Of a column, as D-Tale calls it. */
export function isNumber(type) {
  return /^(u?int|float|complex)/i.test(type);
}

/** @param {string} type */
export function hintFor(type) {
  if (isNumber(type)) return "> 5, 1..5";
  return type.startsWith("datetime") ? "2024-03, > 2024-03-01" : "filter";
}
