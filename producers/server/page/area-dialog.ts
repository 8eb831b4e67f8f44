import { html, nothing, render, type TemplateResult } from "lit-html";
import { askArea } from "./api.ts";
import { jobsOf, lastJob, lockOf, warningsOf, wayOf } from "./area-row.ts";
import { pointsOf } from "./chart-points.ts";
import type { Area, HistoryLine } from "./documents.ts";
import { bytes, number } from "./format.ts";
import { progressOf } from "./hosts-view.ts";
import { JobForm } from "./job-form.ts";
import { areaDetails, diagnoses } from "./poller.ts";
import { SizeChart } from "./size-chart.ts";
import { changed } from "./state.ts";

/** Listed jobs of the history; the chart shows all. */
const listed = 10;

/** One area with its chart, the doctor's checks, its last jobs, and a form to start a job. */
export class AreaDialog {
  readonly #dialog: HTMLDialogElement;
  #path: string | undefined;
  #form: JobForm | undefined;
  #history: HistoryLine[] | undefined;
  #trouble: string | undefined;
  /** The last job in `#history`; if the area has a newer one, the history is read again. */
  #lastJob: string | undefined;
  #chart: SizeChart | undefined;

  constructor(dialog: HTMLDialogElement) {
    this.#dialog = dialog;
    dialog.addEventListener("close", () => this.#leave());
  }

  open(path: string): void {
    this.#path = path;
    this.#form = new JobForm(path);
    void this.#readHistory(path);
    this.draw();
    this.#dialog.showModal();
  }

  draw(): void {
    if (this.#path === undefined) return;
    const last = areaDetails.get(this.#path)?.value?.history[0]?.jobId;
    if (last !== undefined && this.#lastJob !== undefined && last !== this.#lastJob) {
      void this.#readHistory(this.#path);
    }
    render(this.#view(this.#path), this.#dialog);
  }

  #leave(): void {
    this.#chart?.remove();
    this.#chart = undefined;
    this.#path = undefined;
    this.#history = undefined;
    this.#lastJob = undefined;
    render(nothing, this.#dialog);
  }

  async #readHistory(path: string): Promise<void> {
    this.#lastJob = undefined;
    try {
      const { history } = await askArea<{ history: HistoryLine[] }>(path, "/history");
      if (this.#path !== path) return;
      this.#history = history;
      this.#lastJob = history.at(-1)?.jobId ?? "";
      this.#drawChart();
    } catch (error) {
      this.#trouble = (error as Error).message;
    }
    changed();
  }

  #drawChart(): void {
    const place = this.#dialog.querySelector<HTMLElement>(".chart");
    const now = areaDetails.get(this.#path ?? "")?.value?.completedRuns ?? null;
    this.#chart?.remove();
    if (place === null || this.#history === undefined || this.#history.length === 0) return;
    this.#chart = new SizeChart(place, pointsOf(this.#history, now));
  }

  #view(path: string): TemplateResult {
    const area = areaDetails.get(path)?.value;
    return html`<article>
      <header>
        <button aria-label="Close" rel="prev" @click=${() => this.#dialog.close()}></button>
        <h2 id="area-title">${area?.name ?? path}</h2>
      </header>
      ${area === undefined ? html`<p aria-busy="true">Loading…</p>` : facts(area)}
      <h3>Sizes and runs over time</h3>
      <figure class="chart" role="img" aria-label="Sizes and runs over time; the last jobs are listed below"></figure>
      ${this.#story()}
      <h3>Warnings</h3>
      ${warnings(path)}
      <h3>Start a job</h3>
      ${jobsOf(path).map((job) => (job.state === "active" ? progressOf(job) : html`<p>${job.job} ${job.state}</p>`))}
      ${this.#form?.view()}
    </article>`;
  }

  #story(): TemplateResult {
    if (this.#trouble !== undefined) return html`<p class="bad">${this.#trouble}</p>`;
    if (this.#history === undefined) return html`<p aria-busy="true">Loading the history…</p>`;
    if (this.#history.length === 0) return html`<p class="quiet">No job has run here yet.</p>`;
    return html`<ul class="story">
      ${this.#history
        .slice(-listed)
        .reverse()
        .map((line) => html`<li>${lastJob(line)} <span class="quiet">${line.requestedBy}</span></li>`)}
    </ul>`;
  }
}

function facts(area: Area): TemplateResult {
  const fact = (name: string, value: string) =>
    html`<dt>${name}</dt>
      <dd>${value}</dd>`;
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
  if (trouble !== undefined) return html`<p class="bad">${trouble}</p>`;
  if (diagnosis === undefined) return html`<p aria-busy="true">Checking…</p>`;
  if (found.length + checks.length === 0) return html`<p class="good">No problems.</p>`;
  return html`<ul>
    ${found.map((sentence) => html`<li class="bad">${sentence}</li>`)}
    ${checks.map(
      ({ ok, verdict, remedy }) =>
        html`<li class=${ok === false ? "bad" : ""}>
          ${verdict}${remedy === undefined ? nothing : html`<br /><span class="quiet">${remedy}</span>`}
        </li>`,
    )}
  </ul>`;
}
