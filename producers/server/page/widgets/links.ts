import { html, nothing, type TemplateResult } from "lit-html";
import type { RunId } from "../../../../shared/sqlite/run-id.ts";
import { ago, clock, shown } from "../data/format.ts";
import { state } from "../data/state.ts";

/** BullMQ counts per queue, so that a number means a job only beside its host. */
const isNumber = (jobId: string) => /^\d+$/.test(jobId);

export function jobAddress(jobId: string, host: string): string {
  const query = isNumber(jobId) ? `?${new URLSearchParams({ host })}` : "";
  return `jobs/${encodeURIComponent(jobId)}${query}`;
}

/** A job's number may be in an area's history without its host. */
export function jobLink(jobId: string, host: string | undefined, text = jobId): TemplateResult {
  if (host === undefined && isNumber(jobId)) return html`${shown(text)}`;
  return html`<a class="path" href=${jobAddress(jobId, host ?? "")}>${shown(text)}</a>`;
}

/**
 * Returns the address of an area, or of a page below it (`rest`): by its id if it has one of its own, because that stays
 * the same.
 */
export function areaAddress(path: string, rest = "", query: Record<string, string> = {}): string {
  const areas = state.areas ?? [];
  const id = areas.find(({ area }) => area === path)?.areaId ?? null;
  const isUnique = areas.filter(({ areaId }) => areaId === id).length === 1;
  const ofId = id !== null && isUnique ? id : undefined;
  const given = new URLSearchParams(ofId === undefined ? { path, ...query } : query);
  return `areas/${ofId ?? "by-path"}${rest}${given.size === 0 ? "" : `?${given}`}`;
}

export function areaLink(path: string, text = path): TemplateResult {
  return html`<a class="path" href=${areaAddress(path)}>${shown(text)}</a>`;
}

/** A run of an area, by its id in the database that it is in. */
export function runLink(area: string, id: RunId, text: string): TemplateResult {
  return html`<a class="path" href=${areaAddress(area, `/runs/${id}`)}>${shown(text)}</a>`;
}

/** The page for SQL over an area, with a statement to run. */
export function sqlLink(area: string, sql: string, text: string): TemplateResult {
  return html`<a href=${areaAddress(area, "/sql", { sql })}>${text}</a>`;
}

export function hostLink(host: string): TemplateResult {
  return html`<a class="path" href="hosts/${encodeURIComponent(host)}">${shown(host)}</a>`;
}

/** The queue of a host, or one of its jobs, on Bull Board. */
export function boardAddress(host: string, jobId?: string): string {
  const job = jobId === undefined ? "" : `/${encodeURIComponent(jobId)}`;
  return `queues/queue/${encodeURIComponent(`host.${host}`)}${job}`;
}

/** `3 hours ago`, with the time itself for the pointer. */
export function when(time: string | null | undefined): TemplateResult | typeof nothing {
  if (time == null) return nothing;
  return html`<time datetime=${time} title=${clock(time)}>${ago(time)}</time>`;
}

/** `2025-08-04 484 days ago`, for seconds since 1970, with the time of day for the pointer. */
export function begun(seconds: number | null): TemplateResult | string {
  return dated(seconds, "YYYY-MM-DD".length);
}

/** `2025-08-04 02:10:04 484 days ago`, for seconds since 1970. */
export function begunAt(seconds: number | null): TemplateResult | string {
  return dated(seconds, undefined);
}

function dated(seconds: number | null, shownLength: number | undefined): TemplateResult | string {
  if (seconds === null) return "–";
  const time = new Date(seconds * 1000).toISOString();
  return html`<time datetime=${time} title=${clock(time)}>${clock(time).slice(0, shownLength)}</time>
    <span class="quiet">${ago(time)}</span>`;
}
