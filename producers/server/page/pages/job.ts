import { html, nothing, type TemplateResult } from "lit-html";
import type { MoveResult } from "../../../../shared/contract/move-result.ts";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { FollowedJob, JobReport, JobSummary } from "../../../contract/job.ts";
import { ask, jobPath, Refusal } from "../data/api.ts";
import { number, shown } from "../data/format.ts";
import { RateMeter } from "../data/rate.ts";
import { Resource } from "../data/resource.ts";
import type { PageView } from "../data/router.ts";
import { changed } from "../data/state.ts";
import { kindText, stateText } from "../widgets/job-table.ts";
import { areaLink, boardAddress, hostLink, runLink } from "../widgets/links.ts";
import { progressBar, progressText } from "../widgets/progress.ts";
import { JobActions } from "./job-actions.ts";
import { timeline } from "./job-timeline.ts";

/** Milliseconds between polls of an unfinished job, and after a refusal. */
const pollInterval = 1000;
const patience = 5000;
/** Runs of a result that are shown at once. */
const fewRuns = 20;
/** Steps of a migration that are listed. */
const mostSteps = 200;

/** One job, followed until it ends. */
export class JobPage implements PageView {
  readonly #jobId: string;
  readonly #host: string | undefined;
  readonly #actions = new JobActions();
  readonly #meter = new RateMeter();
  readonly #steps = new Resource<{ jobs: JobSummary[] }>({ freshFor: 5000 });
  readonly #log: string[] = [];
  #report: JobReport | undefined;
  #moment: FollowedJob | undefined;
  #trouble: string | undefined;
  #isClosed = false;

  constructor(jobId: string, host: string | undefined) {
    this.#jobId = jobId;
    this.#host = host;
    void this.#follow();
  }

  title(): string {
    return shown(this.#jobId);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      const isEnded = await this.#poll();
      changed();
      if (isEnded) return;
      await new Promise((resolve) =>
        setTimeout(resolve, this.#trouble === undefined ? pollInterval : patience),
      );
    }
  }

  /** Returns true once nothing will change any more. A hidden page requests nothing. */
  async #poll(): Promise<boolean> {
    if (document.hidden && this.#report !== undefined) return false;
    try {
      const moment = await this.#readNews();
      const { state, startedAt, host } = this.#report ?? {};
      // Its data may be long: it is read again only when the job has changed.
      if (moment.state !== state || moment.startedAt !== startedAt || moment.host !== host)
        this.#report = await ask<JobReport>(jobPath(this.#jobId, this.#host));
      this.#take(moment);
      return moment.finishedAt !== null;
    } catch (error) {
      this.#trouble = (error as Error).message;
      return error instanceof Refusal && error.status === 404;
    }
  }

  async #readNews(): Promise<FollowedJob> {
    const { host, from } = this.#moment ?? { from: 0 };
    const read = (after: number) =>
      ask<FollowedJob>(jobPath(this.#jobId, this.#host, "/follow", { from: after }));
    const moment = await read(from);
    if (host === undefined || moment.host === host) return moment;
    // It was forwarded, and has another log there.
    this.#log.length = 0;
    return await read(0);
  }

  #take(moment: FollowedJob): void {
    this.#log.push(...moment.log);
    this.#moment = moment;
    this.#trouble = undefined;
    if (moment.progress !== null) this.#meter.add(moment.progress, performance.now());
  }

  view(): TemplateResult {
    const job = this.#report;
    const trouble =
      this.#trouble === undefined
        ? nothing
        : html`<p class="bad path" role="alert">${shown(this.#trouble)}</p>`;
    if (job === undefined)
      return html`<h1 class="path">${shown(this.#jobId)}</h1>
        ${this.#trouble === undefined ? html`<p aria-busy="true">Loading…</p>` : trouble}`;
    // BullMQ drops the oldest lines of a long log, so that those after them may have been missed.
    const log = job.finishedAt === null ? this.#log : job.log;
    return html`<h1 class="path">${shown(job.jobId)}</h1>
      ${trouble} ${facts(job)} ${this.#actions.view(job)} ${this.#progress(job)} ${errorOf(job)} ${warnings(job)}
      <h2>Timeline</h2>
      ${timeline(job, job.job === "migrate" ? this.#stepsOf(job) : [])}
      ${this.#result(job)}
      <h2>Log</h2>
      ${
        log.length === 0
          ? html`<p class="quiet">empty</p>`
          : html`<pre class="text" tabindex="0" aria-label="Log">${log.map(shown).join("\n")}</pre>`
      }
      ${json("Data as JSON", job.data)}
      <p class="quiet">On the command line: <code class="path">mtjobs job ${shown(job.jobId)}</code></p>`;
  }

  #stepsOf({ jobId }: JobReport): readonly JobSummary[] {
    const request = new URLSearchParams({ brief: "true", migration: jobId, limit: String(mostSteps) });
    return this.#steps.want(`jobs?${request}`).value?.jobs ?? [];
  }

  #progress(job: JobReport): TemplateResult | typeof nothing {
    const moment = this.#moment;
    if (moment === undefined || job.finishedAt !== null) return nothing;
    return html`<section aria-label="Progress">
      ${job.state === "active" ? this.#pace(moment) : nothing}
      ${moment.waitsFor === null ? nothing : html`<p class="path">It waits: ${shown(moment.waitsFor.message)}</p>`}
      ${moment.served ? nothing : html`<p class="bad">No worker serves ${shown(job.host)} now; the job waits until one does.</p>`}
    </section>`;
  }

  #pace({ progress }: FollowedJob): TemplateResult {
    const { unit, perSecond, restMs } = this.#meter.rate ?? {};
    const speed =
      perSecond === undefined ? "" : `, ${number(Number(perSecond.toPrecision(3)))} ${unit} a second`;
    const rest = restMs === undefined ? "" : `, about ${elapsedText(restMs)} left in this phase`;
    return html`<p>${progressText(progress)}${speed}${rest}</p>
      ${progressBar({ progress })}`;
  }

  #result({ result, error }: JobReport): TemplateResult {
    const words = this.#moment?.resultText ?? null;
    return html`${
      words === null
        ? nothing
        : html`<h2>Result</h2>
              <pre class="text" tabindex="0" aria-label="Result">${words.split("\n").map(shown).join("\n")}</pre>`
    }
      ${movedRuns(result)} ${json("Result as JSON", result)} ${json("Error as JSON", error)}`;
  }
}

function facts(job: JobReport): TemplateResult {
  const dryRun = (job.data as { dryRun?: unknown } | null)?.dryRun === true;
  const step = (job.data as { step?: unknown } | null)?.step;
  const fact = (name: string, value: TemplateResult | string) =>
    html`<dt>${name}</dt>
      <dd>${value}</dd>`;
  return html`<dl class="facts">
    ${fact("kind", kindText({ job: job.job, dryRun, step: typeof step === "string" ? step : null }))}
    ${fact("state", stateText(job.state))} ${fact("area", job.area === null ? "–" : areaLink(job.area))}
    ${fact("host", html`${hostLink(job.host)}, <a href=${boardAddress(job.host, job.jobId)}>on Bull Board</a>`)}
    ${fact("requested by", shown(job.requestedBy ?? "–"))}
  </dl>`;
}

/** Links to the runs that a job moved, or that a dry run would move; purged ones are nowhere. */
function movedRuns(result: JobReport["result"]): TemplateResult | typeof nothing {
  const { area, job, runs = [], moved } = (result ?? {}) as Partial<MoveResult>;
  if (area === undefined || job === "purge" || runs.length === 0) return nothing;
  return html`<details ?open=${runs.length <= fewRuns}>
    <summary>${runs.length === 1 ? "1 run" : `${number(runs.length)} runs`}${(moved?.runs ?? 0) > runs.length ? ` of ${number(moved?.runs)}` : ""}</summary>
    <ul aria-label="Runs">
      ${runs.map(({ id, target, runname }) => html`<li>${runLink(area, id, `${target}/${runname}`)} <span class="quiet">run ${id}</span></li>`)}
    </ul>
  </details>`;
}

function errorOf({ error }: JobReport): TemplateResult | typeof nothing {
  if (error === undefined) return nothing;
  return html`<p class="bad path" role="alert">
    ${shown(`${error.code}: ${error.message}`)}${error.hint === undefined ? nothing : html`<br />${shown(error.hint)}`}
  </p>`;
}

function warnings({ result }: JobReport): TemplateResult | typeof nothing {
  const found: unknown = result?.warnings;
  if (!Array.isArray(found) || found.length === 0) return nothing;
  return html`<h2>Warnings</h2>
    <ul>
      ${found.map((warning) => html`<li class="path">${shown(String(warning))}</li>`)}
    </ul>`;
}

/** A document to unfold; it is written only then, because it may be long. */
function json(title: string, document: unknown): TemplateResult | typeof nothing {
  if (document == null) return nothing;
  const write = (event: Event) => {
    const details = event.target as HTMLDetailsElement;
    const place = details.querySelector("pre");
    if (place !== null) place.textContent = details.open ? JSON.stringify(document, null, 2) : "";
  };
  return html`<details @toggle=${write}>
    <summary>${title}</summary>
    <pre class="text" tabindex="0" aria-label=${title}></pre>
  </details>`;
}
