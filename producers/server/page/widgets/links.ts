import { html, nothing, type TemplateResult } from "lit-html";
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

/** Returns an area's address: by its id if it has one of its own, because that stays the same. */
function areaAddress(path: string): string {
  const areas = state.areas ?? [];
  const id = areas.find(({ area }) => area === path)?.areaId ?? null;
  const isUnique = areas.filter(({ areaId }) => areaId === id).length === 1;
  return id !== null && isUnique ? `areas/${id}` : `areas/by-path?${new URLSearchParams({ path })}`;
}

export function areaLink(path: string, text = path): TemplateResult {
  return html`<a class="path" href=${areaAddress(path)}>${shown(text)}</a>`;
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
