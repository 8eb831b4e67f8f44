import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { FoundArea } from "../../../contract/area.ts";
import { shown } from "../data/format.ts";
import { isOrder, measuresByPath, type Order, orders, rankOf } from "../data/measures.ts";
import { areaDetails, diagnoses } from "../data/poller.ts";
import { query, setQuery } from "../data/router.ts";
import { homeName, state } from "../data/state.ts";
import { areaRow } from "./area-row.ts";
import { choice, textIn } from "./fields.ts";

/** Rows per page: what an operator can survey, and the server answers quickly. */
const pageSize = 25;
/** With what the areas are sorted by if the user chooses the column. */
const columns: readonly (readonly [title: string, order?: Order])[] = [
  ["Area", ""],
  ["Homehost"],
  ["megatest.db", "size"],
  ["Runs"],
  ["completed-runs.db"],
  ["Moved runs"],
  ["Growth", "growth"],
  ["Gain", "gain"],
  ["Oldest run", "age"],
  ["Last job"],
  ["Next job"],
  ["Lock"],
  ["Warnings", "trouble"],
];

/** What the address says: `name` is text that an area's path or name must contain, `home` its homehost. */
function filter(): { name: string; home: string; page: number; sort: Order } {
  const given = query();
  const page = Number.parseInt(given.get("page") ?? "1", 10);
  const sort = given.get("sort") ?? "";
  return {
    name: given.get("name") ?? "",
    home: given.get("home") ?? "",
    page: Math.max(1, page || 1),
    sort: isOrder(sort) ? sort : "",
  };
}

function chosen(): FoundArea[] {
  const { name, home, sort } = filter();
  const wanted = name.toLowerCase();
  const found = (state.areas ?? []).filter(
    (area) =>
      (home === "" || homeName(area) === home) &&
      `${area.area} ${area.name ?? ""}`.toLowerCase().includes(wanted),
  );
  if (sort === "") return found;
  const ranks = new Map(found.map((area) => [area, rankOf(sort, area) ?? Number.NEGATIVE_INFINITY]));
  const rank = (area: FoundArea) => ranks.get(area) ?? 0;
  return found.sort((one, other) => (rank(one) === rank(other) ? 0 : rank(other) - rank(one)));
}

const sortBy = (sort: string) => setQuery({ sort, page: "" });

function heading([title, order]: (typeof columns)[number], sort: Order): TemplateResult {
  if (order === undefined) return html`<th scope="col">${title}</th>`;
  const isChosen = order === sort;
  const direction = order === "" || order === "age" ? "ascending" : "descending";
  return html`<th scope="col" aria-sort=${isChosen ? direction : nothing}>
    <button class="sort" aria-label=${`${title}: sort by ${orders[order]}`} @click=${() => sortBy(order)}>
      ${title}${isChosen ? (direction === "ascending" ? " ▲" : " ▼") : ""}
    </button>
  </th>`;
}

function filters(): TemplateResult {
  const { name, home, sort } = filter();
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
    ${choice(
      "Sort by",
      sort,
      Object.entries(orders).map(([value, text]) => [value, `sort by ${text}`] as const),
      sortBy,
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
  const { sort } = filter();
  // Else the rows would change places once it is known how large they are.
  const isSorted = sort === "" || sort === "trouble" || measuresByPath().size > 0;
  const found = isSorted ? chosen() : [];
  const last = Math.max(1, Math.ceil(found.length / pageSize));
  const page = Math.min(filter().page, last);
  const seen = found.slice((page - 1) * pageSize, page * pageSize);
  const usable = seen.filter(({ problem }) => problem === null).map(({ area }) => area);
  areaDetails.want(usable);
  diagnoses.want(usable);
  return html`${filters()}
    ${state.trouble === undefined ? nothing : html`<p role="alert" class="bad">${state.trouble}</p>`}
    ${state.warnings.map((warning) => html`<p class="quiet path">${shown(warning)}</p>`)}
    <div class="wide areas" aria-busy=${(state.areas === undefined || !isSorted) && state.trouble === undefined}>
      <table class="cards" aria-label="Areas">
        <thead>
          <tr>
            ${columns.map((column) => heading(column, sort))}
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
    ${pages(page, found.length, last)}
    <p class="quiet">
      Gain: by how much a reduce by the area's own policy, or else of runs older than 30 days, would make megatest.db smaller. What it moves
      is in completed-runs.db then: only a purge frees disk space.
    </p>`;
}
