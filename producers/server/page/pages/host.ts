import { html, nothing, type TemplateResult } from "lit-html";
import type { JobSummary } from "../../../contract/job.ts";
import { send } from "../data/api.ts";
import type { Host } from "../data/documents.ts";
import { clock, number, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import type { PageView } from "../data/router.ts";
import { changed, isHomeOf, may, state } from "../data/state.ts";
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
  #isBusy = false;
  #trouble: string | undefined;

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
    return html`${title} ${facts(host)} ${this.#drain(host)} ${this.#queue(host)} ${areas(host)} ${automatic(host)} ${this.#ended()}`;
  }

  /** A link to the drain of the host, or what takes it back. */
  #drain({ host, drained }: Host): TemplateResult | typeof nothing {
    if (!may("operate")) return nothing;
    const trouble =
      this.#trouble === undefined
        ? nothing
        : html`<p class="bad path" role="alert">${shown(this.#trouble)}</p>`;
    if (drained === null)
      return html`${trouble}<p><a href="request?${new URLSearchParams({ job: "drain", host })}">Drain this host: move all areas away</a></p>`;
    return html`${trouble}
      <p class="actions">
        <button type="button" class="outline" aria-busy=${this.#isBusy} @click=${() => void this.#undrain()}>Let it take areas again</button>
      </p>
      <p class="quiet">
        Areas that have left it stay where their homes are now. To bring one back, <a href="request?${new URLSearchParams({ job: "migrate", to: host })}">request its migration</a>.
      </p>`;
  }

  async #undrain(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    changed();
    this.#trouble = await send(`hosts/${encodeURIComponent(this.#name)}/drain`, undefined, "DELETE").then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
    this.#isBusy = false;
    changed();
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
          ? fact("new areas", "are taken")
          : fact(
              "drained",
              html`by ${shown(drained.by)} ${when(drained.at)}: takes no new areas until
                <code>mtjobs undrain ${shown(host.host)}</code>, or the button below`,
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
