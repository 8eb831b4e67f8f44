import { html, nothing, type TemplateResult } from "lit-html";
import type { RunsPage as RunsDocument, SideName } from "../../../contract/runs.ts";
import { number, runs, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { type PageView, query, setQuery } from "../data/router.ts";
import { changed, may } from "../data/state.ts";
import { nameOf } from "../widgets/area-row.ts";
import { choice, patternFilter } from "../widgets/fields.ts";
import { areaAddress, areaLink } from "../widgets/links.ts";
import { type AreaFinder, jobsMark, unknownArea } from "./area-of-address.ts";
import { MoveRuns } from "./move-runs.ts";
import { runList } from "./run-list.ts";
import { Selection } from "./selection.ts";

/** Milliseconds: reading the list again reads all runs of the area. */
const freshFor = 120_000;

const sides: readonly SideName[] = ["megatest.db", "completed-runs.db"];
const filterNames = ["target", "runname", "state", "status", "since", "until", "where"] as const;

/** All runs of an area, wherever they live: filtered by what the address says, and chosen for a job. */
export class RunsPage implements PageView {
  readonly #find: AreaFinder;
  readonly #runs = new Resource<RunsDocument>({ freshFor, followsJobs: false });
  readonly #counts = new Resource<RunsDocument>({ freshFor, followsJobs: false });
  #form: MoveRuns | undefined;
  #jobs: string | undefined;

  constructor(find: AreaFinder) {
    this.#find = find;
  }

  title(): string {
    const found = this.#find();
    return found === undefined ? "Runs" : `Runs of ${shown(nameOf(found))}`;
  }

  view(): TemplateResult {
    const found = this.#find();
    if (found === undefined) return unknownArea("Runs");
    const { area } = found;
    this.#followJobs(area);
    const given = filtersOf(query());
    const request = new URLSearchParams({ path: area, ...given, ...cursorOf(query()) });
    const { value, trouble } = this.#runs.want(`areas/by-path/runs?${request}`);
    // Not the list's own request, because counting takes as long as the list again.
    const counted = new URLSearchParams({ path: area, ...given, limit: "1", count: "true" });
    if (value !== undefined) this.#counts.want(`areas/by-path/runs?${counted}`);
    const selection = Selection.of(area);
    return html`<h1 class="path">Runs of ${areaLink(area, nameOf(found))}</h1>
      ${filters()}
      ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
      ${this.#selected(area, selection)}
      ${value === undefined && trouble !== undefined ? nothing : runList(area, value?.runs ?? [], selection, this.#runs.isOutOfDate)}
      ${value?.runs.length === 0 ? html`<p>No run matches. A pattern without % matches only the whole text.</p>` : nothing}
      ${this.#pages(value)}
      <p class="quiet">
        ${may("operate") ? html`<a href=${areaAddress(area, "/sql")}>Query this area with SQL</a>` : nothing}
      </p>`;
  }

  /** A job of the area may have moved runs. */
  #followJobs(area: string): void {
    const jobs = jobsMark(area);
    if (this.#jobs !== undefined && this.#jobs !== jobs) this.#outdate();
    this.#jobs = jobs;
  }

  #outdate(): void {
    this.#runs.outdate();
    this.#counts.outdate();
    changed();
  }

  #selected(area: string, selection: Selection): TemplateResult | typeof nothing {
    this.#form ??= new MoveRuns(area, (moved) => {
      selection.set(moved, false);
      this.#outdate();
    });
    const chosen = selection.runs;
    if (!may("operate") || (chosen.length === 0 && !this.#form.hasOutcome)) return nothing;
    const clear = () => {
      this.#form?.forget();
      selection.set(chosen, false);
    };
    return html`<section class="selected" aria-label="Selected runs">
      <div class="pages">
        <strong role="status">${runs(chosen.length)} selected</strong>
        <button type="button" class="small outline" @click=${clear}>${chosen.length === 0 ? "Close" : "Select none"}</button>
      </div>
      ${this.#form.view(chosen)}
    </section>`;
  }

  #pages(value: RunsDocument | undefined): TemplateResult {
    const next = value?.next ?? null;
    return html`<nav class="pages" aria-label="Pages of runs">
      <button class="small outline" ?disabled=${!query().has("cursor")} @click=${() => setQuery({ cursor: "" })}>Newest</button>
      <button class="small outline" ?disabled=${next === null || this.#runs.isOutOfDate} @click=${() => setQuery({ cursor: next ?? "" })}>
        Older
      </button>
      <span role="status" class="quiet">${this.#countText()}</span>
    </nav>`;
  }

  #countText(): string {
    const { value, isOutOfDate } = this.#counts;
    const counts = value?.counts;
    if (counts === undefined || isOutOfDate) return "";
    const [here = 0, moved = 0] = sides.map((side) => counts[side]);
    return `${runs(here + moved)}: ${number(here)} in megatest.db, ${number(moved)} in completed-runs.db`;
  }
}

function filtersOf(given: URLSearchParams): Record<string, string> {
  const chosen = filterNames.map((name) => [name, given.get(name) ?? ""] as const);
  return Object.fromEntries(chosen.filter(([, value]) => value !== ""));
}

function cursorOf(given: URLSearchParams): Record<string, string> {
  const cursor = given.get("cursor");
  return cursor === null ? {} : { cursor };
}

function filters(): TemplateResult {
  const field = (name: (typeof filterNames)[number], label: string, example: string) =>
    patternFilter(label, example, query().get(name) ?? "", (value) =>
      setQuery({ [name]: value, cursor: "" }, { typing: true }),
    );
  return html`<section class="choose" aria-label="Filters">
    ${field("target", "Target", "ubuntu/%")} ${field("runname", "Run name", "w31%")}
    ${field("state", "State", "locked")} ${field("status", "Status", "n/a")}
    ${field("since", "Younger than", "7d")} ${field("until", "Older than", "30d")}
    <label>Lives in${choice(
      "Lives in",
      query().get("where") ?? "",
      [["", "both"], ...sides.map((side) => [side, side] as const)],
      (value) => setQuery({ where: value, cursor: "" }),
    )}</label>
  </section>`;
}
