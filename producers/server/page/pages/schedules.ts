import { html, nothing, type TemplateResult } from "lit-html";
import type { FleetStatus } from "../../../contract/fleet.ts";
import type { Enqueued } from "../../../contract/job.ts";
import type { Policies, ScheduleStatus } from "../../../contract/schedule.ts";
import { ask } from "../data/api.ts";
import type { HistoryLine } from "../data/documents.ts";
import { clock, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { go, type PageView } from "../data/router.ts";
import { changed, may, state } from "../data/state.ts";
import { lastJob } from "../widgets/area-row.ts";
import { failingList } from "../widgets/automatic.ts";
import { cardTable } from "../widgets/card-table.ts";
import { confirmed } from "../widgets/confirm.ts";
import { areaLink, hostLink, jobAddress, jobLink, when } from "../widgets/links.ts";
import { lastText, policyRows, type Row, scheduleRow } from "./schedule-rows.ts";

/** Turns that are listed. */
const listed = 10;

/** What comes when, and what the last turns did. */
export class SchedulesPage implements PageView {
  readonly #schedules = new Resource<{ schedules: ScheduleStatus[] }>();
  readonly #policies = new Resource<Policies>({ freshFor: 30_000, followsJobs: false });
  /** Events leave out the policies whose last job succeeded. */
  readonly #fleet = new Resource<FleetStatus>();
  readonly #turns = new Resource<{ history: HistoryLine[] }>({ freshFor: 60_000, followsJobs: false });
  /** The row whose turns are shown. */
  #open = "";
  #isBusy = false;
  #trouble: string | undefined;

  title(): string {
    return "Schedules";
  }

  view(): TemplateResult {
    const { value, trouble } = this.#schedules.want("schedules");
    const fleet = this.#fleet.want("hosts");
    const lines = this.#policies.want("policies");
    const alert = trouble ?? fleet.trouble ?? lines.trouble ?? this.#trouble;
    const policies = fleet.value && lines.value && policyRows(lines.value.policies, fleet.value.automatic);
    return html`<h1>Schedules</h1>
      <div class="outcome">${alert === undefined ? nothing : html`<p class="bad path" role="alert">${shown(alert)}</p>`}</div>
      ${failingList(state.fleet?.automatic ?? [])}
      <h2>Schedules</h2>
      ${this.#table("Schedules", value?.schedules.map(scheduleRow), html`no schedules; <a href="request">request</a> a reduce or a migration repeatedly, or use <code>mtjobs schedule add</code>`)}
      <h2>Policies</h2>
      ${this.#table("Policies", policies, html`no area has a valid line of <code>[reduce-records]</code> or <code>[purge-records]</code>`)}
      <p class="quiet">
        Lines of <code>[reduce-records]</code> and <code>[purge-records]</code> in megatest.config; the worker of the homehost looks at them
        every five minutes. To pause one, make its line a comment.
      </p>
      ${lines.value === undefined ? nothing : problemList(lines.value)}`;
  }

  #table(label: string, rows: Row[] | undefined, none: TemplateResult): TemplateResult {
    if (rows?.length === 0) return html`<p class="quiet">${none}</p>`;
    const titles = ["Name", "Area", "Host", "What and how often", "Next", "Last turn", "Actions"];
    return cardTable(
      label,
      titles,
      rows?.map((row) => this.#row(row)),
      { isBusy: rows === undefined },
    );
  }

  #row(row: Row): TemplateResult {
    const { key, name, area, host, often, next, ok, problem, last, request } = row;
    const isOpen = this.#open === key;
    const toggle = () => {
      this.#open = isOpen ? "" : key;
      changed();
    };
    return html`<tr data-name=${name}>
        <th scope="row" class="path">${shown(name)}</th>
        <td data-label="area">${areaLink(area)}</td>
        <td data-label="host">${hostLink(host)}</td>
        <td data-label="how often" class="path">${shown(often)}</td>
        <td data-label="next">${next}</td>
        <td data-label="last turn" class="path">
          ${last === null ? html`<span class="quiet">none yet</span>` : html`${jobLink(last.jobId, last.host, lastText(last))} ${when(last.endedAt)}`}
          ${ok ? nothing : html`<div class="bad">${shown(problem ?? "")}</div>`}
        </td>
        <td data-label="actions">
          <button class="small outline" aria-expanded=${isOpen} aria-label=${`Turns of ${shown(name)}`} @click=${toggle}>Turns</button>
          ${request === undefined ? nothing : this.#button("Run now", name, () => this.#runNow(name, request))}
          ${this.#pauseButton(row)}
        </td>
      </tr>
      ${isOpen ? this.#turnsOf(row) : nothing}`;
  }

  #turnsOf({ area, isTurn }: Row): TemplateResult {
    const { value, trouble } = this.#turns.want(
      `areas/by-path/history?${new URLSearchParams({ path: area })}`,
    );
    const turns = value?.history.filter(isTurn).slice(-listed).reverse();
    return html`<tr class="turns">
      <td colspan="7">
        ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
        <ul aria-busy=${value === undefined && trouble === undefined}>
          ${turns?.map((line) => html`<li>${lastJob(line)} <span class="quiet">${clock(line.at ?? "")}</span></li>`)}
        </ul>
        ${turns?.length === 0 ? html`<p class="quiet">The area's history has none of its jobs.</p>` : nothing}
      </td>
    </tr>`;
  }

  #button(label: string, name: string, act: () => Promise<void>): TemplateResult {
    return html`<button class="small outline" aria-busy=${this.#isBusy} aria-label=${`${label}: ${shown(name)}`} @click=${act}>${label}</button>`;
  }

  #pauseButton({ name, isPaused }: Row): TemplateResult | typeof nothing {
    if (isPaused === undefined || !may("operate")) return nothing;
    const path = `schedules/${encodeURIComponent(name)}/pause`;
    const turn = async () => {
      await ask(path, undefined, isPaused ? "DELETE" : "PUT");
      this.#schedules.outdate();
    };
    return this.#button(isPaused ? "Resume" : "Pause", name, () => this.#act(turn));
  }

  async #runNow(name: string, request: Record<string, unknown>): Promise<void> {
    const what = `Its job, a ${request.job} of ${request.area}, is requested as if it were due; the next turn stays as it is.`;
    if (this.#isBusy || !(await confirmed(`Run ${shown(name)} now?`, shown(what), "Run it"))) return;
    await this.#act(async () => {
      const { jobId, host } = await ask<Enqueued>("jobs", request);
      go(jobAddress(jobId, host));
    });
  }

  async #act(act: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    changed();
    this.#trouble = await act().then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
    this.#isBusy = false;
    changed();
  }
}

function problemList({ problems, complete }: Policies): TemplateResult {
  const all = complete ? problems : [...problems, "There are more lines than are listed here."];
  return html`<ul>${all.map((problem) => html`<li class="bad path">${shown(problem)}</li>`)}</ul>`;
}
