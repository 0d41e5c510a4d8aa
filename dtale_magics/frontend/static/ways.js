// The URLs that may lead from this page to the kernel's server.

/** @import { Base, Links, Way } from "./types.d.ts" */

const MAX_ANCESTORS = 1000;

/** @param {string} name */
export const isLoopback = (name) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(name);

/**
 * The URLs that may lead from this page to the kernel, best first.
 * @param {Pick<Links, "ways" | "ports">} links
 * @param {Pick<Location, "origin" | "protocol" | "hostname">} page
 * @param {string} base path of the Jupyter server that the page came from
 * @returns {Way[]}
 */
export function waysOf({ ways, ports }, page = location, base = baseUrl()) {
  const known = ways.map((way) => ({ ...way, url: absolute(way, page.origin) }));
  const proxied = ports
    .map((port) => wayOfPage(`${page.origin}${base}proxy/${port}`, port))
    .filter(({ url }) => known.every((way) => way.url !== url));
  const isPage = page.protocol.startsWith("http");
  // 127.0.0.1 is the reader's own computer: only a page on that computer can reach it, or VS Code,
  // which forwards the ports of a remote machine. An https page may not ask a pod's address.
  const isLocal = isLoopback(page.hostname) || page.protocol === "vscode-webview:";
  const wanted = known.filter(
    ({ source }) =>
      (source !== "loopback" || isLocal) && (source !== "pod" || page.protocol === "http:"),
  );
  /** @param {Way} way */
  const isIngress = ({ source }) => source === "ingress";
  return [
    ...wanted.filter(isIngress),
    ...(isPage ? proxied : []),
    ...wanted.filter((way) => !isIngress(way)),
  ];
}

/**
 * Colab gives each port of its machine a URL that only its pages know.
 * @param {Pick<Links, "ports">} links
 * @returns {Promise<Way[]>}
 */
export async function colabWays({ ports }) {
  const page = /** @type {{ google?: { colab?: { kernel?: { proxyPort?: Function } } } }} */ (
    /** @type {unknown} */ (globalThis)
  );
  const proxy = page.google?.colab?.kernel?.proxyPort;
  if (!proxy) return [];
  const found = ports.map(async (port) => {
    const url = String(await proxy(port, { cache: true })).replace(/\/+$/, "");
    return wayOfPage(url, port);
  });
  const settled = await Promise.allSettled(found);
  return settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
}

/** The pages that contain this one: D-Tale lets only pages that it knows frame its grid. */
export function ancestors() {
  const pages = [...(location.ancestorOrigins ?? [])].join(" ");
  return pages.slice(0, MAX_ANCESTORS) || "1";
}

/**
 * @param {Base} way
 * @param {string} origin
 */
const absolute = ({ base }, origin) => (base.startsWith("/") ? origin + base : base);

/**
 * A way that the page found itself, because no kernel can know it.
 * @param {string} url
 * @param {number} port
 * @returns {Way}
 */
const wayOfPage = (url, port) => ({
  source: "page",
  base: url,
  url,
  port,
  way: "through jupyter-server-proxy",
});

/** Path of the Jupyter server that this page came from. */
function baseUrl() {
  const config = document.getElementById("jupyter-config-data");
  try {
    const path = JSON.parse(config?.textContent ?? "").baseUrl;
    return path.endsWith("/") ? path : `${path}/`;
  } catch {
    return document.body.dataset.baseUrl || "/";
  }
}
