import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { FoundArea } from "../../contract/area.ts";
import { areaRow } from "./area-row.ts";
import { areaDetails, diagnoses } from "./poller.ts";
import { changed, homeName, state } from "./state.ts";

/** Rows per page: what an operator can survey, and the server answers quickly. */
const pageSize = 25;
const columns = [
  "Area",
  "Homehost",
  "megatest.db",
  "Runs",
  "completed-runs.db",
  "Moved runs",
  "Last job",
  "Next job",
  "Lock",
  "Warnings",
];

function chosen(): FoundArea[] {
  const wanted = state.filter.toLowerCase();
  return (state.areas ?? []).filter(
    (area) =>
      (state.home === "" || homeName(area) === state.home) &&
      `${area.area} ${area.name ?? ""}`.toLowerCase().includes(wanted),
  );
}

function choose(change: Partial<Pick<typeof state, "filter" | "home" | "page">>): void {
  Object.assign(state, { page: 0 }, change);
  changed();
}

function filters(): TemplateResult {
  const homes = [...new Set((state.areas ?? []).map(homeName))].filter((name) => name !== "").sort();
  if (state.home !== "" && !homes.includes(state.home)) homes.unshift(state.home);
  const textIn = (event: Event) => (event.target as HTMLInputElement | HTMLSelectElement).value;
  return html`<div class="filters">
    <input
      type="search"
      aria-label="Filter by name or path"
      placeholder="Filter by name or path"
      .value=${state.filter}
      @input=${(event: Event) => choose({ filter: textIn(event) })}
    />
    <select aria-label="Homehost" @change=${(event: Event) => choose({ home: textIn(event) })}>
      <option value="" ?selected=${state.home === ""}>all homehosts</option>
      ${homes.map((name) => html`<option value=${name} ?selected=${state.home === name}>${name}</option>`)}
    </select>
  </div>`;
}

function pages(found: number, last: number): TemplateResult {
  const first = found === 0 ? 0 : state.page * pageSize + 1;
  const end = Math.min((state.page + 1) * pageSize, found);
  const turn = (by: number) => () => choose({ page: state.page + by });
  return html`<nav class="pages" aria-label="Pages of areas">
    <button class="small outline" ?disabled=${state.page === 0} @click=${turn(-1)}>Back</button>
    <span role="status">${first} to ${end} of ${found}</span>
    <button class="small outline" ?disabled=${state.page >= last} @click=${turn(1)}>Next</button>
  </nav>`;
}

/** Shows the areas page by page; requests the details of the visible ones. */
export function areasView(open: (path: string) => void): TemplateResult {
  const found = chosen();
  const last = Math.max(0, Math.ceil(found.length / pageSize) - 1);
  state.page = Math.min(state.page, last);
  const seen = found.slice(state.page * pageSize, (state.page + 1) * pageSize);
  const usable = seen.filter(({ problem }) => problem === null).map(({ area }) => area);
  areaDetails.want(usable);
  diagnoses.want(usable);
  return html`<h2 id="areas-title">Areas</h2>
    ${filters()}
    ${state.trouble === undefined ? nothing : html`<p role="alert" class="bad">${state.trouble}</p>`}
    ${state.warnings.map((warning) => html`<p class="quiet">${warning}</p>`)}
    <div class="overflow-auto" aria-busy=${state.areas === undefined && state.trouble === undefined}>
      <table class="cards">
        <thead>
          <tr>
            ${columns.map((title) => html`<th scope="col">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${repeat(
            seen,
            ({ area }) => area,
            (area) => areaRow(area, open),
          )}
        </tbody>
      </table>
    </div>
    ${pages(found.length, last)}`;
}
