import { html, nothing, type TemplateResult } from "lit-html";
import { verbOf } from "../../../../shared/job-verbs.ts";
import { runs, shown } from "../data/format.ts";
import { changed } from "../data/state.ts";
import { Attempt } from "./attempt.ts";
import { jobLink } from "./links.ts";
import { progressOf } from "./progress.ts";

/** Starts a reduce or a restore of one area: first as a dry run, then the same job for real. */
export class JobForm {
  readonly #area: string;
  #attempt: Attempt | undefined;

  constructor(area: string) {
    this.#area = area;
  }

  view(): TemplateResult {
    const input = (name: string, label: string, example: string) =>
      html`<label>${label}<input name=${name} placeholder=${example} autocomplete="off" /></label>`;
    return html`<form
      aria-label="Start a job"
      @input=${() => this.#forget()}
      @submit=${(event: SubmitEvent) => this.#submit(event)}
    >
      <div class="choose">
        <label>Job<select name="job"><option>reduce</option><option>restore</option></select></label>
        ${input("target", "Target", "ubuntu/nfs/%")} ${input("runname", "Run name", "%")}
        ${input("age", "Older than", "30d")} ${input("keep", "Keep the newest", "0")}
      </div>
      <div class="actions">
        <button type="submit" aria-busy=${this.#isBusy}>Try it (dry run)</button>
        ${this.#earnest()}
        <a href="request?${new URLSearchParams({ area: this.#area })}">All options</a>
      </div>
      <div role="status" class="outcome">${this.#outcome()}</div>
    </form>`;
  }

  get #isBusy(): boolean {
    return this.#attempt?.isBusy === true;
  }

  /** Shows the button for the real job only after a dry run with the same input. */
  #earnest(): TemplateResult | typeof nothing {
    const { request, dryRun, job } = this.#attempt ?? {};
    const moved = job?.result?.moved.runs ?? 0;
    if (request === undefined || dryRun !== true || moved === 0) return nothing;
    return html`<button type="button" class="secondary" @click=${() => this.#start(request, false)}>
      ${request.job === "restore" ? "Restore" : "Reduce"} ${runs(moved)} now
    </button>`;
  }

  #outcome(): TemplateResult | string | typeof nothing {
    if (this.#attempt === undefined) return nothing;
    const { request, dryRun, job, trouble } = this.#attempt;
    if (trouble !== undefined) return html`<p class="bad">${trouble}</p>`;
    if (job === undefined) return "requesting";
    if (job.error !== undefined) {
      const { message, hint } = job.error;
      return html`<p class="bad">${job.state}: ${shown(message)}${hint === undefined ? "" : `: ${shown(hint)}`}</p>`;
    }
    if (job.result === undefined) {
      if (job.state === "active") return progressOf(job);
      return html`${jobLink(job.jobId, job.host)} is ${job.state} at ${shown(job.host)}`;
    }
    const { moved, skippedCounts, warnings } = job.result;
    const skipped = Object.entries(skippedCounts).map(([reason, count]) => `${count} ${reason}`);
    const done = verbOf(request.job).did;
    const stay = skipped.length === 0 ? "" : `; not ${done}: ${skipped.join(", ")}`;
    return html`<p class=${dryRun ? "" : "good"}>
        ${runs(moved.runs ?? 0)} ${dryRun ? `would be ${done}` : done}${stay}.
        ${jobLink(job.jobId, job.host, "Show the job")}
      </p>
      ${warnings.map((warning) => html`<p>${shown(warning)}</p>`)}`;
  }

  /** The form's input has changed since the attempt. */
  #forget(): void {
    this.#attempt?.abandon();
    this.#attempt = undefined;
    changed();
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    if (this.#isBusy) return;
    const given = [...new FormData(event.target as HTMLFormElement)].filter(([, value]) => value !== "");
    const { keep, ...rest } = Object.fromEntries(given);
    const request = { ...rest, area: this.#area, keep: keep === undefined ? undefined : Number(keep) };
    this.#start(request, true);
  }

  #start(request: Record<string, unknown>, dryRun: boolean): void {
    this.#attempt?.abandon();
    this.#attempt = new Attempt(request, dryRun);
    void this.#attempt.run();
    changed();
  }
}
