import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { FoundArea } from "../../../contract/area.ts";
import { shown } from "../data/format.ts";
import { areaDetails, diagnoses } from "../data/poller.ts";
import { query, setQuery } from "../data/router.ts";
import { homeName, state } from "../data/state.ts";
import { areaRow } from "./area-row.ts";
import { choice, textIn } from "./fields.ts";

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

/** What the address says: `name` is text that an area's path or name must contain, `home` its homehost. */
function filter(): { name: string; home: string; page: number } {
  const given = query();
  const page = Number.parseInt(given.get("page") ?? "1", 10);
  return { name: given.get("name") ?? "", home: given.get("home") ?? "", page: Math.max(1, page || 1) };
}

function chosen(): FoundArea[] {
  const { name, home } = filter();
  const wanted = name.toLowerCase();
  return (state.areas ?? []).filter(
    (area) =>
      (home === "" || homeName(area) === home) &&
      `${area.area} ${area.name ?? ""}`.toLowerCase().includes(wanted),
  );
}

function filters(): TemplateResult {
  const { name, home } = filter();
  const homes = [...new Set((state.areas ?? []).map(homeName))].filter((each) => each !== "").sort();
  return html`<div class="filters">
    <input
      type="search"
      aria-label="Filter by name or path"
      placeholder="Filter by name or path"
      .value=${name}
      @input=${(event: Event) => setQuery({ name: textIn(event), page: "" }, { typing: true })}
    />
    ${choice(
      "Homehost",
      home,
      [["", "all homehosts"], ...homes.map((each) => [each, shown(each)] as const)],
      (value) => setQuery({ home: value, page: "" }),
    )}
  </div>`;
}

function pages(page: number, found: number, last: number): TemplateResult {
  const first = found === 0 ? 0 : (page - 1) * pageSize + 1;
  const turn = (by: number) => () => setQuery({ page: page + by === 1 ? "" : String(page + by) });
  return html`<nav class="pages" aria-label="Pages of areas">
    <button class="small outline" ?disabled=${page === 1} @click=${turn(-1)}>Back</button>
    <span role="status">${first} to ${Math.min(page * pageSize, found)} of ${found}</span>
    <button class="small outline" ?disabled=${page >= last} @click=${turn(1)}>Next</button>
  </nav>`;
}

/** Shows the areas page by page; requests the details of the visible ones. */
export function areasTable(): TemplateResult {
  const found = chosen();
  const last = Math.max(1, Math.ceil(found.length / pageSize));
  const page = Math.min(filter().page, last);
  const seen = found.slice((page - 1) * pageSize, page * pageSize);
  const usable = seen.filter(({ problem }) => problem === null).map(({ area }) => area);
  areaDetails.want(usable);
  diagnoses.want(usable);
  return html`${filters()}
    ${state.trouble === undefined ? nothing : html`<p role="alert" class="bad">${state.trouble}</p>`}
    ${state.warnings.map((warning) => html`<p class="quiet path">${shown(warning)}</p>`)}
    <div class="wide" aria-busy=${state.areas === undefined && state.trouble === undefined}>
      <table class="cards" aria-label="Areas">
        <thead>
          <tr>
            ${columns.map((title) => html`<th scope="col">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${repeat(
            seen,
            ({ area }) => area,
            (area) => areaRow(area),
          )}
        </tbody>
      </table>
    </div>
    ${pages(page, found.length, last)}`;
}
