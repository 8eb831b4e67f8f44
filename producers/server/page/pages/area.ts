import { html, nothing, type TemplateResult } from "lit-html";
import type { AreaHistory, FoundArea, GainByAge } from "../../../contract/area.ts";
import { findings } from "../area/findings.ts";
import { gainPlot, gainSection } from "../area/gain.ts";
import { homesSection } from "../area/homes.ts";
import { PlotPlace } from "../area/plot.ts";
import { sizeLines } from "../area/size-lines.ts";
import { sizePlaces, sizePlots } from "../area/size-plots.ts";
import type { Area, HistoryLine } from "../data/documents.ts";
import { bytes, number, shown } from "../data/format.ts";
import { areaDetails, diagnoses } from "../data/poller.ts";
import { Resource } from "../data/resource.ts";
import type { PageView } from "../data/router.ts";
import { jobsOf, may, state } from "../data/state.ts";
import { lastJob, lockOf, nameOf, wayOf } from "../widgets/area-row.ts";
import { JobForm } from "../widgets/job-form.ts";
import { areaAddress, jobLink } from "../widgets/links.ts";
import { progressOf } from "../widgets/progress.ts";

/** Listed jobs of the history; the charts show all. */
const listed = 10;
/** Milliseconds until a document is read again if no job ends: both are long to read. */
const freshFor = 300_000;

type History = Omit<AreaHistory, "history"> & { history: HistoryLine[] };

/** One area: its sizes over time, what a reduce would gain, its jobs, its homes, the doctor's checks, and a form to start a job. */
export class AreaPage implements PageView {
  readonly #find: () => FoundArea | undefined;
  readonly #history = new Resource<History>({ freshFor, followsJobs: false });
  readonly #gain = new Resource<GainByAge>({ freshFor, followsJobs: false });
  readonly #sizePlots = new PlotPlace(sizePlots);
  readonly #gainPlot = new PlotPlace(gainPlot);
  #path: string | undefined;
  #form: JobForm | undefined;
  /** The last job of the area's status; once there is another one, history and gain are read again. */
  #lastJob: string | undefined;

  private constructor(find: () => FoundArea | undefined) {
    this.#find = find;
  }

  /** An area's id needs the list of areas; the path is known at once. */
  static byId(id: string): AreaPage {
    return new AreaPage(() => state.areas?.find(({ areaId }) => areaId === id));
  }

  static byPath(path: string): AreaPage {
    const unknown = { area: path, areaId: null, name: null, homehost: null, problem: null };
    return new AreaPage(() => state.areas?.find(({ area }) => area === path) ?? unknown);
  }

  title(): string {
    const found = this.#find();
    return found === undefined ? "Area" : shown(nameOf(found));
  }

  view(): TemplateResult {
    const found = this.#find();
    if (found !== undefined) return this.#areaView(found);
    if (state.trouble !== undefined)
      return html`<h1>Area</h1><p class="bad" role="alert">${state.trouble}</p>`;
    if (state.areas === undefined) return html`<h1>Area</h1><p aria-busy="true">Loading…</p>`;
    return html`<h1>Area</h1>
      <p>No area below the server's roots has this id. <a href="areas">All areas</a></p>`;
  }

  drawn(): void {
    const area = this.#path === undefined ? undefined : areaDetails.get(this.#path)?.value;
    const history = this.#history.value;
    const now = { runs: area?.runs ?? null, completedRuns: area?.completedRuns ?? null };
    this.#sizePlots.show(".sizes", history && sizeLines(history, now));
    this.#gainPlot.show(".gain", this.#gain.value?.gains);
  }

  close(): void {
    this.#sizePlots.remove();
    this.#gainPlot.remove();
  }

  #areaView(found: FoundArea): TemplateResult {
    const { area: path, problem } = found;
    areaDetails.want([path]);
    diagnoses.want([path]);
    this.#path = path;
    this.#form ??= new JobForm(path);
    const { value: area, trouble } = areaDetails.get(path) ?? {};
    this.#followJobs(area);
    const history = this.#history.want(`areas/by-path/history?${new URLSearchParams({ path })}`);
    // Its answer for a database that cannot be read would be an error.
    const isReadable = area !== undefined && area.runs !== null;
    if (isReadable) this.#gain.want(`areas/by-path/forecast?${new URLSearchParams({ path })}`);
    return html`<h1 class="path">${shown(nameOf(found))}</h1>
      ${problem === null ? nothing : html`<p class="bad path" role="alert">${shown(problem)}</p>`}
      ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
      <div aria-busy=${area === undefined && trouble === undefined}>${facts(path, area)}</div>
      <p><a href=${areaAddress(path, "/runs")}>All runs of this area</a></p>
      <h2>Sizes and runs over time</h2>
      ${sizePlaces} ${gainSection(path, this.#gain, isReadable || (area === undefined && trouble === undefined))}
      <h2>Jobs</h2>
      ${jobsOf(path).map((job) =>
        job.state === "active"
          ? progressOf(job)
          : html`<p>${jobLink(job.jobId, job.host, job.job)} ${job.state}</p>`,
      )}
      ${story(history)}
      <p><a href="jobs?${new URLSearchParams({ area: path })}">All jobs of this area</a></p>
      ${homesSection(area, history.trouble === undefined ? history.value?.migrations : [])} ${findings(path)}
      <h2 id="start-job" tabindex="-1">Start a job</h2>
      ${may("operate") ? this.#form.view() : html`<p class="quiet">Your token may only read.</p>`}`;
  }

  #followJobs(area: Area | undefined): void {
    const last = area?.history[0]?.jobId;
    if (last !== undefined && this.#lastJob !== undefined && last !== this.#lastJob) {
      this.#history.outdate();
      this.#gain.outdate();
    }
    if (area !== undefined) this.#lastJob = last ?? "";
  }
}

function story({ value, trouble }: Resource<History>): TemplateResult {
  if (trouble !== undefined) return html`<p class="bad path" role="alert">${shown(trouble)}</p>`;
  if (value === undefined) return html`<p aria-busy="true">Loading the history…</p>`;
  if (value.history.length === 0) return html`<p class="quiet">No job has run here yet.</p>`;
  return html`<ul class="story">
    ${value.history
      .slice(-listed)
      .reverse()
      .map(
        (line) =>
          html`<li>${lastJob(line)} <span class="quiet path">${shown(line.requestedBy ?? "")}</span></li>`,
      )}
  </ul>`;
}

/** Has the same lines before the area was read, so that nothing below moves. */
function facts(path: string, area: Area | undefined): TemplateResult {
  const fact = (name: string, value: string | undefined) =>
    html`<dt>${name}</dt>
      <dd>${shown(value ?? "–")}</dd>`;
  const size = (file: string, count: number | null) => `${bytes(area?.bytes[file])}, ${number(count)} runs`;
  return html`<dl class="facts">
    ${fact("path", path)}
    ${fact("homehost", area && `${area.homehost ?? "none"}${area.pinned ? " (pinned)" : ""}`)}
    ${fact("lock", area && lockOf(area))}
    ${fact("megatest.db", area && size("megatest.db", area.runs))}
    ${fact("completed-runs.db", area && size("completed-runs.db", area.completedRuns))}
    ${area?.paused == null ? nothing : fact("paused", `by ${area.paused}; delete it to continue`)}
    ${area === undefined || wayOf(area) === undefined ? nothing : fact(area.migration?.kind ?? "", wayOf(area))}
    ${area?.policies.map(({ name, text, job }) => fact(job === "purge" ? "purge policy" : "policy", `${name}: ${text}`))}
  </dl>`;
}
