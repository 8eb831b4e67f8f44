import { html, type TemplateResult } from "lit-html";
import type { FoundArea } from "../../../contract/area.ts";
import { state } from "../data/state.ts";

/** Returns the area that a page is about; undefined while it is unknown. */
export type AreaFinder = () => Pick<FoundArea, "area" | "name"> | undefined;

export function areaById(id: string): AreaFinder {
  return () => state.areas?.find(({ areaId }) => areaId === id);
}

/** The path is known before the list of areas is. */
export function areaByPath(path: string): AreaFinder {
  return () => state.areas?.find(({ area }) => area === path) ?? { area: path, name: null };
}

/** Shows why the area is unknown. */
export function unknownArea(title: string): TemplateResult {
  if (state.trouble !== undefined)
    return html`<h1>${title}</h1><p class="bad" role="alert">${state.trouble}</p>`;
  if (state.areas === undefined) return html`<h1>${title}</h1><p aria-busy="true">Loading…</p>`;
  return html`<h1>${title}</h1>
    <p>No area below the server's roots has this id. <a href="areas">All areas</a></p>`;
}

/** Changes whenever a job of the area is added or ends. */
export function jobsMark(path: string): string {
  const jobs = (state.fleet?.jobs ?? []).filter(({ area }) => area === path);
  return jobs
    .map(({ host, jobId }) => `${host} ${jobId}`)
    .sort()
    .join("\n");
}
