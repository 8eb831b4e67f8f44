import { html, nothing, type TemplateResult } from "lit-html";
import type { FoundArea } from "../../../contract/area.ts";
import { askArea } from "../data/api.ts";
import type { Area, HistoryLine } from "../data/documents.ts";
import { bytes, number, shown } from "../data/format.ts";
import { areaDetails, diagnoses } from "../data/poller.ts";
import type { PageView } from "../data/router.ts";
import { changed, jobsOf, may, state } from "../data/state.ts";
import { lastJob, lockOf, nameOf, warningsOf, wayOf } from "../widgets/area-row.ts";
import { pointsOf } from "../widgets/chart-points.ts";
import { JobForm } from "../widgets/job-form.ts";
import { jobLink } from "../widgets/links.ts";
import { progressOf } from "../widgets/progress.ts";
import { SizeChart } from "../widgets/size-chart.ts";

/** Listed jobs of the history; the chart shows all. */
const listed = 10;

/** Reserves the chart's place while the history is read. */
const chartPlace = html`<h2>Sizes and runs over time</h2>
  <figure class="chart" role="img" aria-label="Sizes and runs over time; the last jobs are listed below"></figure>`;

/** One area with its chart, the doctor's checks, its last jobs, and a form to start a job. */
export class AreaPage implements PageView {
  readonly #find: () => FoundArea | undefined;
  #path: string | undefined;
  #form: JobForm | undefined;
  #history: HistoryLine[] | undefined;
  #trouble: string | undefined;
  /** The last job in `#history`; if the area has a newer one, the history is read again. */
  #lastJob: string | undefined;
  #chart: SizeChart | undefined;
  #isClosed = false;

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
    if (this.#path === undefined || this.#chart !== undefined || this.#history === undefined) return;
    const place = document.querySelector<HTMLElement>(".chart");
    const now = areaDetails.get(this.#path)?.value?.completedRuns ?? null;
    if (place !== null && this.#history.length > 0)
      this.#chart = new SizeChart(place, pointsOf(this.#history, now));
  }

  close(): void {
    this.#isClosed = true;
    this.#chart?.remove();
  }

  #areaView(found: FoundArea): TemplateResult {
    const { area: path, problem } = found;
    areaDetails.want([path]);
    diagnoses.want([path]);
    this.#form ??= new JobForm(path);
    this.#refreshHistory(path);
    const { value: area, trouble } = areaDetails.get(path) ?? {};
    return html`<h1 class="path">${shown(nameOf(found))}</h1>
      ${problem === null ? nothing : html`<p class="bad path" role="alert">${shown(problem)}</p>`}
      ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
      ${area === undefined ? html`<p aria-busy=${trouble === undefined}>${shown(path)}</p>` : facts(area)}
      ${this.#history?.length === 0 ? nothing : chartPlace}
      <h2>Jobs</h2>
      ${jobsOf(path).map((job) =>
        job.state === "active"
          ? progressOf(job)
          : html`<p>${jobLink(job.jobId, job.host, job.job)} ${job.state}</p>`,
      )}
      ${this.#story()}
      <p><a href="jobs?${new URLSearchParams({ area: path })}">All jobs of this area</a></p>
      <h2>Warnings</h2>
      ${warnings(path)}
      <h2>Start a job</h2>
      ${may("operate") ? this.#form.view() : html`<p class="quiet">Your token may only read.</p>`}`;
  }

  /** Reads the history, and again when the area has had another job. */
  #refreshHistory(path: string): void {
    const last = areaDetails.get(path)?.value?.history[0]?.jobId;
    const isNews = last !== undefined && this.#lastJob !== undefined && last !== this.#lastJob;
    if (this.#path === path && !isNews) return;
    this.#path = path;
    void this.#readHistory(path);
  }

  async #readHistory(path: string): Promise<void> {
    this.#lastJob = undefined;
    try {
      const { history } = await askArea<{ history: HistoryLine[] }>(path, "/history");
      if (this.#isClosed) return;
      this.#history = history;
      this.#lastJob = history.at(-1)?.jobId ?? "";
      this.#chart?.remove();
      this.#chart = undefined;
    } catch (error) {
      this.#trouble = (error as Error).message;
    }
    changed();
  }

  #story(): TemplateResult {
    if (this.#trouble !== undefined) return html`<p class="bad">${shown(this.#trouble)}</p>`;
    if (this.#history === undefined) return html`<p aria-busy="true">Loading the history…</p>`;
    if (this.#history.length === 0) return html`<p class="quiet">No job has run here yet.</p>`;
    return html`<ul class="story">
      ${this.#history
        .slice(-listed)
        .reverse()
        .map(
          (line) =>
            html`<li>${lastJob(line)} <span class="quiet path">${shown(line.requestedBy ?? "")}</span></li>`,
        )}
    </ul>`;
  }
}

function facts(area: Area): TemplateResult {
  const fact = (name: string, value: string) =>
    html`<dt>${name}</dt>
      <dd>${shown(value)}</dd>`;
  return html`<dl class="facts">
    ${fact("path", area.area)} ${fact("homehost", `${area.homehost ?? "none"}${area.pinned ? " (pinned)" : ""}`)}
    ${fact("lock", lockOf(area))} ${area.paused === null ? nothing : fact("paused", `by ${area.paused}; delete it to continue`)}
    ${wayOf(area) === undefined ? nothing : fact(area.migration?.kind ?? "", wayOf(area) ?? "")}
    ${area.policies.map(({ name, text }) => fact("policy", `${name}: ${text}`))}
    ${fact("megatest.db", `${bytes(area.bytes["megatest.db"])}, ${number(area.runs)} runs`)}
    ${fact("completed-runs.db", `${bytes(area.bytes["completed-runs.db"])}, ${number(area.completedRuns)} runs`)}
  </dl>`;
}

function warnings(path: string): TemplateResult {
  const { value: diagnosis, trouble } = diagnoses.get(path) ?? {};
  const found = warningsOf(areaDetails.get(path)?.value, undefined);
  const checks = diagnosis?.checks.filter(({ ok }) => ok !== true) ?? [];
  if (trouble !== undefined) return html`<p class="bad path">${shown(trouble)}</p>`;
  if (diagnosis === undefined) return html`<p aria-busy="true">Checking…</p>`;
  if (found.length + checks.length === 0) return html`<p class="good">No problems.</p>`;
  return html`<ul>
    ${found.map((sentence) => html`<li class="bad path">${sentence}</li>`)}
    ${checks.map(
      ({ ok, verdict, remedy }) =>
        html`<li class=${ok === false ? "bad path" : "path"}>
          ${shown(verdict)}${remedy === undefined ? nothing : html`<br /><span class="quiet">${shown(remedy)}</span>`}
        </li>`,
    )}
  </ul>`;
}
