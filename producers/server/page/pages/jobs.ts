import { html, nothing, type TemplateResult } from "lit-html";
import type { JobSummary } from "../../../contract/job.ts";
import { isUnfinished, jobStates } from "../../../contract/job-states.ts";
import { shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { type PageView, query, setQuery } from "../data/router.ts";
import { state } from "../data/state.ts";
import { choice, textFilter } from "../widgets/fields.ts";
import { jobTable } from "../widgets/job-table.ts";

/** Jobs that are shown at first, and at most: more are found by filters. */
const fewest = 100;
const most = 500;

const kinds = ["reduce", "restore", "purge", "import", "migrate", "migrate-step"] as const;
const unfinished = jobStates.filter(isUnfinished).join(",");

/** The jobs of all hosts, filtered by what the address says. */
export class JobsPage implements PageView {
  readonly #jobs = new Resource<{ jobs: JobSummary[] }>();

  title(): string {
    return "Jobs";
  }

  view(): TemplateResult {
    const limit = Math.min(most, Number.parseInt(query().get("limit") ?? "", 10) || fewest);
    const { value, trouble } = this.#jobs.want(`jobs?${requestOf(query(), limit)}`);
    return html`<h1>Jobs</h1>
      ${filters()}
      ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
      ${trouble !== undefined && value === undefined ? nothing : jobTable("Jobs", value?.jobs)}
      <p role="status" class="quiet">${value === undefined ? "" : countText(value.jobs.length, limit)}</p>
      ${
        value?.jobs.length === limit && limit < most
          ? html`<button class="small outline" @click=${() => setQuery({ limit: String(most) })}>Show more</button>`
          : nothing
      }`;
  }
}

function countText(count: number, limit: number): string {
  if (count < limit) return `${count} ${count === 1 ? "job" : "jobs"}`;
  return `the newest ${count} jobs; ${limit < most ? "there may be more" : "filter to see older ones"}`;
}

/** Returns the request for a query of the page: an area that is known is meant exactly, other text in part. */
function requestOf(given: URLSearchParams, limit: number): URLSearchParams {
  const request = new URLSearchParams({ brief: "true", limit: String(limit) });
  for (const name of ["state", "job", "host", "by"]) {
    const value = given.get(name) ?? "";
    if (value !== "") request.set(name, value);
  }
  const area = given.get("area") ?? "";
  const isPath = state.areas?.some((each) => each.area === area) === true;
  if (area !== "") request.set(isPath ? "area" : "text", area);
  return request;
}

function filters(): TemplateResult {
  const given = (name: string) => query().get(name) ?? "";
  const choose = (name: string) => (value: string) => setQuery({ [name]: value, limit: "" });
  const type = (name: string) => (value: string) => setQuery({ [name]: value, limit: "" }, { typing: true });
  const plain = (values: readonly string[]) => values.map((value) => [value, shown(value)] as const);
  const hosts = (state.fleet?.hosts ?? []).map(({ host }) => host);
  const paths = (state.areas ?? []).map(({ area }) => area);
  return html`<section class="filters" aria-label="Filters">
    ${choice("State", given("state"), [["", "any state"], [unfinished, "unfinished"], ...plain(jobStates)], choose("state"))}
    ${choice("Kind", given("job"), [["", "any kind"], ...plain(kinds)], choose("job"))}
    ${choice("Host", given("host"), [["", "any host"], ...plain(hosts)], choose("host"))}
    ${textFilter("Area or job id", given("area"), type("area"), paths)}
    ${textFilter("Requested by", given("by"), type("by"))}
  </section>`;
}
