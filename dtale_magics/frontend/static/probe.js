// What is found at a URL: this kernel's D-Tale, another one, or what stands in the way.

import { isLoopback } from "./ways.js";

/** @import { Finding, Links } from "./types.d.ts" */

export const PROBE_MS = 2500;

/**
 * Whose D-Tale to look for, who else is known, and what `dtale_magics.reach.causes` says of answers.
 * @typedef {Pick<Links, "owner" | "others" | "max_owners" | "protocol" | "statuses">} Names
 */

/**
 * Ask whose D-Tale is at a URL: a cause of `dtale_magics.reach.causes`, with its fields.
 * @param {{ url: string }} way
 * @param {Names} names
 * @returns {Promise<Finding>}
 */
export async function probe({ url }, names) {
  const { hostname, protocol } = new URL(url);
  if (location.protocol === "https:" && protocol === "http:" && !isLoopback(hostname)) {
    return { cause: "mixed-content" };
  }
  const owners = [names.owner, ...Object.keys(names.others)].slice(0, names.max_owners);
  const who = `${url}/_magics/who/${owners.join(".")}`;
  const signal = AbortSignal.timeout(PROBE_MS);
  /** @type {RequestInit} */
  const options = { cache: "no-store", credentials: "include", signal };
  const started = performance.now();
  try {
    const answer = await fetch(who, { ...options, redirect: "manual" });
    const text = answer.type === "opaqueredirect" ? "" : await answer.text();
    return judge(answer, text, url, names, performance.now() - started);
  } catch {
    if (signal.aborted) return { cause: "timed-out" };
  }
  try {
    await fetch(who, { ...options, mode: "no-cors" });
    return { cause: "answers" }; // pages can read only our answers
  } catch {
    return { cause: signal.aborted ? "timed-out" : "no-connection" };
  }
}

/**
 * Find out what an answer means.
 * @param {Pick<Response, "status" | "type">} answer
 * @param {string} text its body
 * @param {string} url what was asked
 * @param {Names} names
 * @param {number} milliseconds how long it took
 * @returns {Finding}
 */
export function judge({ status, type }, text, url, names, milliseconds) {
  const { owner, others, protocol, statuses } = names;
  const said = status === 200 ? identity(text, protocol) : null;
  if (said && said.owner !== owner) {
    const label = others[said.owner];
    return label ? { cause: "another-notebook", label } : { cause: "other-dtale" };
  }
  if (said) {
    const asked = new URL(url).pathname.replace(/\/$/, "");
    const seen = `${said.prefix}${said.unknown}`;
    if (said.unknown || seen !== asked) return { cause: "wrong-prefix", asked, seen };
    return { cause: "ours", milliseconds: Math.round(milliseconds) };
  }
  if (type === "opaqueredirect" || /type=["']?password/i.test(text)) return { cause: "sign-in" };
  const cause = statuses[status];
  return cause ? { cause } : { cause: "something-else", status };
}

/**
 * Who answers there; null if it is not one of our D-Tales.
 * @param {string} text
 * @param {number} protocol
 * @returns {{ owner: string, prefix: string, unknown: string } | null}
 */
function identity(text, protocol) {
  try {
    const said = JSON.parse(text);
    return said?.protocol === protocol && said.owner ? said : null;
  } catch {
    return null;
  }
}
