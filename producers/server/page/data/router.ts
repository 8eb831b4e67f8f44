import type { TemplateResult } from "lit-html";

/** One of the page's pages, as long as its address is shown. */
export interface PageView {
  /** For the window's title. */
  title: () => string;
  view: () => TemplateResult;
  /** Called after each drawing. */
  drawn?: () => void;
  close?: () => void;
}

export interface PageRoute {
  /** Segments of a path below the base path; `:name` stands for any one. */
  pattern: string;
  /** Parameters of the query that name the thing shown: if they change, the page is opened anew. */
  keys?: readonly string[];
  open: (params: Record<string, string>) => PageView;
}

/** What the address says. */
interface Place {
  route: PageRoute | undefined;
  params: Record<string, string>;
  /** Differs if another page or thing is meant; filters in the query do not count. */
  key: string;
}

let routes: readonly PageRoute[] = [];
let arrived = (_byLink: boolean): void => {};

/** @param listener called at each new address; `byLink` is false for back, forward and filters */
export function startRouter(all: readonly PageRoute[], listener: (byLink: boolean) => void): void {
  routes = all;
  arrived = listener;
  window.addEventListener("popstate", () => arrived(false));
  document.addEventListener("click", followLink);
}

export function query(): URLSearchParams {
  return new URLSearchParams(location.search);
}

export function place(): Place {
  return placeOf(new URL(location.href));
}

function placeOf({ pathname, searchParams }: URL): Place {
  const parts = segmentsOf(pathname);
  for (const route of routes) {
    const params = match(route.pattern, parts);
    if (params === undefined) continue;
    const named = (route.keys ?? []).map((name) => searchParams.get(name));
    return { route, params, key: JSON.stringify([parts, named]) };
  }
  return { route: undefined, params: {}, key: JSON.stringify(parts) };
}

/** Returns the segments of a path below the base path. */
function segmentsOf(pathname: string): string[] {
  const base = new URL(document.baseURI).pathname;
  const rest = pathname.startsWith(base) ? pathname.slice(base.length) : "";
  return rest
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
}

function match(pattern: string, parts: readonly string[]): Record<string, string> | undefined {
  const wanted = pattern.split("/").filter((part) => part !== "");
  if (wanted.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const given = parts[index] ?? "";
    if (part.startsWith(":")) params[part.slice(1)] = given;
    else if (part !== given) return undefined;
  }
  return params;
}

/** Goes to an address relative to the base path, such as `jobs/reduce-1`. */
export function go(address: string): void {
  history.pushState(null, "", new URL(address, document.baseURI));
  arrived(true);
}

/** Changes parameters of the query; "" removes one. While a user types, back must not return every letter. */
export function setQuery(change: Record<string, string>, { typing = false } = {}): void {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(change)) {
    if (value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (typing) history.replaceState(null, "", url);
  else if (url.href !== location.href) history.pushState(null, "", url);
  arrived(false);
}

/** Shows a page of a clicked link without loading it; the browser follows all others. */
function followLink(event: MouseEvent): void {
  const { target, button, ctrlKey, metaKey, shiftKey, altKey, defaultPrevented } = event;
  if (defaultPrevented || button !== 0 || ctrlKey || metaKey || shiftKey || altKey) return;
  const link = (target as Element).closest<HTMLAnchorElement>("a[href]");
  if (link === null || link.target !== "") return;
  // A link to a place of this page; the base would make it one of the overview.
  const [, fragment] = /^#(.+)/.exec(link.getAttribute("href") ?? "") ?? [];
  const url = new URL(link.href);
  if (fragment !== undefined) document.getElementById(fragment)?.focus();
  else if (url.origin === location.origin && isOfPage(url)) go(url.href);
  else return;
  event.preventDefault();
}

function isOfPage(url: URL): boolean {
  return url.pathname.startsWith(new URL(document.baseURI).pathname) && placeOf(url).route !== undefined;
}
