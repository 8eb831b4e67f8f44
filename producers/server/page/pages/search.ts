import { html, type TemplateResult } from "lit-html";
import type { JobSummary } from "../../../contract/job.ts";
import type { Search } from "../../../contract/totals.ts";
import { shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { type PageView, query } from "../data/router.ts";
import { state } from "../data/state.ts";
import { nameOf } from "../widgets/area-row.ts";
import { jobTable } from "../widgets/job-table.ts";
import { areaAddress, areaLink, begun, hostLink, runLink } from "../widgets/links.ts";

/** Results of each kind. */
const most = 20;

/** What was found of one kind; `count` is undefined while it is being searched, and 0 hides it. */
interface Found {
  title: string;
  count: number | undefined;
  list: () => TemplateResult;
}

/** Fewest characters for which runs are searched: that reads databases. */
const fewestForRuns = 2;

/** Finds areas, hosts, jobs and runs by a part of their names. */
export class SearchPage implements PageView {
  readonly #jobs = new Resource<{ jobs: JobSummary[] }>();
  /** Runs change slowly, and all databases are read for them. */
  readonly #all = new Resource<Pick<Search, "runs">>({
    freshFor: Number.POSITIVE_INFINITY,
    followsJobs: false,
  });

  title(): string {
    return `Search: ${shown(query().get("q") ?? "")}`;
  }

  view(): TemplateResult {
    const text = (query().get("q") ?? "").trim();
    if (text === "")
      return html`<h1>Search</h1><p>Type a part of the name of an area, a host or a run, of an area's path, or of a job's id.</p>`;
    const found = [searchAreas(text), searchHosts(text), this.#searchJobs(text), this.#searchRuns(text)];
    const nothingFound = found.every(({ count }) => count === 0);
    return html`<h1 class="path">Search: ${shown(text)}</h1>
      ${
        nothingFound
          ? html`<p role="status">
            Nothing found. The names of areas, hosts and runs, the paths of areas and the ids of jobs are searched, not tests, their hosts, or dates.
          </p>`
          : found.map(section)
      }`;
  }

  #searchJobs(text: string): Found {
    const request = new URLSearchParams({ brief: "true", all: "true", limit: String(most), text });
    const { value, trouble } = this.#jobs.want(`jobs?${request}`);
    return {
      title: "Jobs",
      count: trouble === undefined ? value?.jobs.length : 1,
      list: () =>
        trouble === undefined
          ? jobTable("Jobs", value?.jobs)
          : html`<p class="bad" role="alert">${shown(trouble)}</p>`,
    };
  }

  #searchRuns(text: string): Found {
    if (text.length < fewestForRuns) return { title: "Runs", count: 0, list: () => html`` };
    const { value, trouble } = this.#all.want(`search?${new URLSearchParams({ q: text.slice(0, 200) })}`);
    return {
      title: "Runs",
      count: trouble !== undefined || value?.runs === null ? 1 : value?.runs.list.length,
      list: () =>
        trouble === undefined
          ? runsList(value?.runs, text)
          : html`<p class="bad" role="alert">${shown(trouble)}</p>`,
    };
  }
}

type FoundRuns = NonNullable<Search["runs"]>;

/** The runs found, by area in the order of the answer. */
function byArea(list: FoundRuns["list"]): [string, FoundRuns["list"]][] {
  const groups = new Map<string, FoundRuns["list"]>();
  for (const run of list) groups.set(run.area, [...(groups.get(run.area) ?? []), run]);
  return [...groups];
}

function runsList(found: Search["runs"] | undefined, text: string): TemplateResult {
  if (found === undefined) return html``;
  if (found === null) return html`<p class="bad" role="alert">The areas' file system does not respond.</p>`;
  const { list, complete, searched, total } = found;
  const pattern = `%${text}%`;
  return html`${byArea(list).map(
    ([area, runs]) => html`<h3 class="path">${areaLink(area)}</h3>
        <ul>
          ${runs.map(
            ({ id, target, runname, where, begunAt }) =>
              html`<li class="path">
                ${runLink(area, id, `${target}/${runname}`)} ${begun(begunAt)} <span class="quiet">run ${id} in ${where}</span>
              </li>`,
          )}
        </ul>
        ${
          complete
            ? ""
            : html`<p><a href=${areaAddress(area, "/runs", { runname: pattern })}>All runs of this area with ${shown(text)} in their name</a></p>`
        }`,
  )}
    ${searched < total ? html`<p class="quiet">${searched} of ${total} areas were searched.</p>` : ""}
    ${complete || searched < total ? "" : html`<p class="quiet">The newest runs of each area are listed.</p>`}`;
}

const contains = (whole: string, part: string) => whole.toLowerCase().includes(part.toLowerCase());

function searchAreas(text: string): Found {
  const areas = state.areas?.filter(({ area, name }) => contains(`${area} ${name ?? ""}`, text));
  return {
    title: "Areas",
    count: areas?.length,
    list: () => html`<ul>
        ${areas
          ?.slice(0, most)
          .map(
            (area) =>
              html`<li>${areaLink(area.area, nameOf(area))} <span class="quiet path">${shown(area.area)}</span></li>`,
          )}
      </ul>
      ${
        areas !== undefined && areas.length > most
          ? html`<p><a href="areas?${new URLSearchParams({ name: text })}">All ${areas.length} areas</a></p>`
          : ""
      }`,
  };
}

function searchHosts(text: string): Found {
  const hosts = state.fleet?.hosts.filter(({ host }) => contains(host, text));
  return {
    title: "Hosts",
    count: hosts?.length,
    list: () => html`<ul>
      ${hosts?.slice(0, most).map(({ host }) => html`<li>${hostLink(host)}</li>`)}
    </ul>`,
  };
}

function section({ title, count, list }: Found): TemplateResult | string {
  return count === 0
    ? ""
    : html`<section aria-busy=${count === undefined}>
        <h2>${title}</h2>
        ${list()}
      </section>`;
}
