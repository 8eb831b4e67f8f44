import { html, nothing, type TemplateResult } from "lit-html";
import type { JobSummary } from "../../../contract/job.ts";
import type { Host } from "../data/documents.ts";
import { clock, number, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import type { PageView } from "../data/router.ts";
import { isHomeOf, state } from "../data/state.ts";
import { nameOf } from "../widgets/area-row.ts";
import { failingList, schedulesTable } from "../widgets/automatic.ts";
import { waitingOf, workerState } from "../widgets/host-card.ts";
import { jobTable } from "../widgets/job-table.ts";
import { areaLink, boardAddress, when } from "../widgets/links.ts";
import { progressOf } from "../widgets/progress.ts";

/** Jobs listed of each kind. */
const listed = 20;
/** Areas listed; more are on the page of areas. */
const mostAreas = 25;

type Jobs = { jobs: JobSummary[] };

/** One host: its worker, its queue, its areas, and its jobs. */
export class HostPage implements PageView {
  readonly #name: string;
  readonly #recent = new Resource<Jobs>();
  readonly #failed = new Resource<Jobs>();

  constructor(name: string) {
    this.#name = name;
  }

  title(): string {
    return shown(this.#name);
  }

  view(): TemplateResult {
    const title = html`<h1 class="path">${shown(this.#name)}</h1>`;
    if (state.fleet === undefined) return html`${title}<p aria-busy="true">Loading…</p>`;
    const host = state.fleet.hosts.find((each) => each.host === this.#name);
    if (host === undefined)
      return html`${title}
        <p>No host of this name has had a worker or a job. <a href="hosts">All hosts</a></p>`;
    return html`${title} ${facts(host)} ${this.#queue(host)} ${areas(host)} ${automatic(host)} ${this.#ended()}`;
  }

  #queue({ host }: Host): TemplateResult {
    const jobs = (state.fleet?.jobs ?? []).filter((job) => job.host === host && job.state === "active");
    return html`<h2>Queue</h2>
      ${jobs.length === 0 ? html`<p class="quiet">no job is running</p>` : jobs.map((job) => progressOf(job, { withArea: true }))}
      <p>
        <a href="jobs?${new URLSearchParams({ host })}">All jobs of this host</a>,
        <a href=${boardAddress(host)}>its queue on Bull Board</a>
      </p>`;
  }

  #ended(): TemplateResult {
    const path = (state: string) =>
      `jobs?${new URLSearchParams({ brief: "true", host: this.#name, limit: String(listed), ...(state && { state }) })}`;
    return html`<h2>Recent jobs</h2>
      ${jobs("Recent jobs", this.#recent.want(path("")))}
      <h2>Failed jobs</h2>
      ${jobs("Failed jobs", this.#failed.want(path("failed")))}`;
  }
}

function jobs(label: string, { value, trouble }: Resource<Jobs>): TemplateResult {
  return trouble === undefined
    ? jobTable(label, value?.jobs, { withHost: false })
    : html`<p class="bad path" role="alert">${shown(trouble)}</p>`;
}

function facts(host: Host): TemplateResult {
  const { worker, drained, counts } = host;
  const fact = (name: string, value: TemplateResult | string) =>
    html`<dt>${name}</dt>
      <dd>${value}</dd>`;
  const counted = ["active", "failed", "cancelled", "completed"].map(
    (each) => `${number(counts[each] ?? 0)} ${each}`,
  );
  return html`<dl class="facts">
      ${fact("worker", workerState(host))}
      ${
        worker === null
          ? nothing
          : html`${fact("since", clock(worker.startedAt))}
            ${fact("process", shown(`${worker.pid}, as ${worker.user}, version ${worker.version}`))}
            ${fact("address", shown(worker.address ?? "only loopback"))}
            ${fact("roots", shown(worker.areas.join(", ")))} ${fact("caches", shown(worker.cacheRoot))}`
      }
      ${fact("jobs", `${number(waitingOf(host))} waiting, ${counted.join(", ")}`)}
      ${
        drained === null
          ? fact(
              "new areas",
              html`are taken; <code>mtjobs drain ${shown(host.host)}</code> moves all areas away`,
            )
          : fact(
              "drained",
              html`by ${shown(drained.by)} ${when(drained.at)}: takes no new areas until
                <code>mtjobs undrain ${shown(host.host)}</code>`,
            )
      }
    </dl>
    ${worker === null || worker.alive ? nothing : html`<p class="bad" role="alert">Its worker is gone: its jobs wait until <code>mtjobs worker</code> runs there again.</p>`}`;
}

function areas(host: Host): TemplateResult {
  const atHome = (state.areas ?? []).filter(({ homehost }) => isHomeOf(host, homehost));
  const more =
    atHome.length > mostAreas ? `All ${atHome.length} areas` : "As a table, with sizes and warnings";
  return html`<h2>Areas at home</h2>
    ${
      atHome.length === 0
        ? html`<p class="quiet">none</p>`
        : html`<ul class="columns">
              ${atHome.slice(0, mostAreas).map((area) => html`<li>${areaLink(area.area, nameOf(area))}</li>`)}
            </ul>
            <p><a href="areas?${new URLSearchParams({ home: host.host })}">${more}</a></p>`
    }`;
}

function automatic({ host }: Host): TemplateResult | typeof nothing {
  const here = (state.fleet?.automatic ?? []).filter((each) => each.host === host);
  if (here.length === 0) return nothing;
  const schedules = here.filter(({ kind }) => kind === "schedule");
  return html`<h2>Schedules and policies</h2>
    ${failingList(here)} ${schedules.length === 0 ? nothing : schedulesTable(schedules)}`;
}
