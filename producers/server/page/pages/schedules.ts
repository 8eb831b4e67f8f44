import { html, nothing, type TemplateResult } from "lit-html";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { AutomaticStatus, FleetStatus } from "../../../contract/fleet.ts";
import type { Enqueued } from "../../../contract/job.ts";
import type { ScheduleStatus } from "../../../contract/schedule.ts";
import { ask } from "../data/api.ts";
import type { HistoryLine } from "../data/documents.ts";
import { clock, shown } from "../data/format.ts";
import { areaDetails } from "../data/poller.ts";
import { Resource } from "../data/resource.ts";
import { go, type PageView } from "../data/router.ts";
import { changed, may, state } from "../data/state.ts";
import { lastJob } from "../widgets/area-row.ts";
import { failingList } from "../widgets/automatic.ts";
import { cardTable } from "../widgets/card-table.ts";
import { confirmed } from "../widgets/confirm.ts";
import { areaLink, hostLink, jobAddress, jobLink, when } from "../widgets/links.ts";

/** Turns that are listed. */
const listed = 10;
/** Policies of which the lines are read; each is an area to read. */
const mostPolicies = 100;

type Last = AutomaticStatus["last"];

/** A schedule, or a line of `[reduce-records]` or `[purge-records]`, in the page's words. */
interface Row {
  /** Differs from that of every other row. */
  key: string;
  name: string;
  area: string;
  host: string;
  often: string;
  next: TemplateResult | string;
  ok: boolean;
  problem: string | null;
  last: Last;
  /** The request of its job; undefined if it is unknown, or if the token may not send it. */
  request: Record<string, unknown> | undefined;
  isTurn: (line: HistoryLine) => boolean;
}

/** What comes when, and what the last turns did. */
export class SchedulesPage implements PageView {
  readonly #schedules = new Resource<{ schedules: ScheduleStatus[] }>();
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
    const policies = fleet.value?.automatic.filter(({ kind }) => kind === "policy") ?? [];
    areaDetails.want([...new Set(policies.slice(0, mostPolicies).map(({ area }) => area))]);
    const alert = trouble ?? fleet.trouble ?? this.#trouble;
    return html`<h1>Schedules</h1>
      <div class="outcome">${alert === undefined ? nothing : html`<p class="bad path" role="alert">${shown(alert)}</p>`}</div>
      ${failingList(state.fleet?.automatic ?? [])}
      <h2>Schedules</h2>
      ${this.#table("Schedules", value?.schedules.map(scheduleRow), html`no schedules; <a href="request">request</a> a reduce or a migration repeatedly, or use <code>mtjobs schedule add</code>`)}
      <p class="quiet">
        A schedule cannot be paused: BullMQ has no pause for one, and one that is removed and added again loses how its last jobs ended and,
        with an interval, its times. Remove it with <code>mtjobs schedule remove NAME</code>, or hold all jobs of an area with a stop file.
      </p>
      <h2>Policies</h2>
      ${this.#table("Policies", fleet.value && policies.map(policyRow), html`no line of <code>[reduce-records]</code> or <code>[purge-records]</code> has requested a job yet`)}
      <p class="quiet">
        Lines of <code>[reduce-records]</code> and <code>[purge-records]</code> in megatest.config that have requested a job; the worker of the
        homehost looks at them every five minutes.
      </p>`;
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
          ${
            request === undefined
              ? nothing
              : html`<button class="small outline" aria-busy=${this.#isBusy} aria-label=${`Run now: ${shown(name)}`} @click=${() => this.#confirm(name, request)}>Run now</button>`
          }
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

  async #confirm(name: string, request: Record<string, unknown>): Promise<void> {
    const what = `Its job, a ${request.job} of ${request.area}, is requested as if it were due; the next turn stays as it is.`;
    if (this.#isBusy || !(await confirmed(`Run ${shown(name)} now?`, shown(what), "Run it"))) return;
    this.#isBusy = true;
    changed();
    try {
      const { jobId, host } = await ask<Enqueued>("jobs", request);
      go(jobAddress(jobId, host));
    } catch (error) {
      this.#trouble = (error as Error).message;
    }
    this.#isBusy = false;
    changed();
  }
}

/** Members of a job's data that a request over HTTP has none of. */
const own = new Set(["v", "requestedBy"]);

function requestOf(job: string, data: object): Record<string, unknown> | undefined {
  const request = { ...Object.fromEntries(Object.entries(data).filter(([name]) => !own.has(name))), job };
  const needsAdmin = "now" in request && request.now === true;
  return may(needsAdmin ? "admin" : "operate") ? request : undefined;
}

function lastText(last: NonNullable<Last>): string {
  if (last.error !== null) return last.error.code;
  return last.timeUp === null ? "completed" : "completed in part";
}

function scheduleRow(schedule: ScheduleStatus): Row {
  const { name, area, host, job, cron, tz, every, next, ok, problem, last, data } = schedule;
  const often = cron === null ? `every ${elapsedText(every ?? 0)}` : `${cron} (${tz ?? "UTC"})`;
  return {
    ...{ key: `schedule ${name}`, name, area, host, ok, problem, last },
    often: `${job}, ${often}`,
    next: next === null ? "–" : html`${when(next)}<div class="quiet">${clock(next)}</div>`,
    request: requestOf(job, data),
    // The history does not tell a migration's schedule.
    isTurn: (line) => (job === "migrate" ? line.job === job : line.schedule === name),
  };
}

/** A worker requests a failed job again after this time, or sooner if its line asks for it, ms. */
const afterFailure = 3_600_000;

/** Tells when a policy's next job is due; `between` may delay it. */
function nextTurn({ last, ok }: AutomaticStatus, everyMs: number | undefined): TemplateResult | string {
  if (everyMs === undefined || last === null) return "–";
  if (last.timeUp === "between") return "when its part of the day begins";
  const due = Date.parse(last.startedAt) + (ok ? everyMs : Math.min(everyMs, afterFailure));
  if (due <= Date.now()) return "due: within five minutes";
  const time = new Date(due).toISOString();
  return html`${when(time)}
    <div class="quiet">${clock(time)}</div>`;
}

const purgePrefix = "purge-records/";

function policyRow(status: AutomaticStatus): Row {
  const { name, area, host, ok, problem, last } = status;
  const isPurge = name.startsWith(purgePrefix);
  const line = areaDetails
    .get(area)
    ?.value?.policies.find(
      (each) => (each.job === "purge") === isPurge && each.name === name.replace(purgePrefix, ""),
    );
  const job = isPurge ? "purge" : "reduce";
  return {
    ...{ key: `policy ${area} ${name}`, name, area, host, ok, problem, last },
    often: line === undefined ? "–" : `${job}, ${line.text}`,
    next: nextTurn(status, line?.everyMs),
    request: line && requestOf(job, { ...line.request, area, policy: name }),
    isTurn: (each) => each.policy === name,
  };
}
