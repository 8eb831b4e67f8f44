import { html, nothing, type TemplateResult } from "lit-html";
import type { Cancelled, Enqueued, JobReport, Retried } from "../../../contract/job.ts";
import { isUnfinished } from "../../../contract/job-states.ts";
import { ask, jobPath } from "../data/api.ts";
import { shown } from "../data/format.ts";
import { go } from "../data/router.ts";
import { changed, may } from "../data/state.ts";
import { confirmed } from "../widgets/confirm.ts";
import { jobAddress } from "../widgets/links.ts";

/** Kinds that users request. */
const requestable = ["reduce", "restore", "purge", "import", "migrate"];

/** Who requested it and why, which a new request says anew. */
const origins = new Set(["v", "requestedBy", "policy", "schedule"]);

/** Returns the request for a dry run of the same work; undefined if the token may not request it, or no user can. */
function dryRunOf({ job, data }: JobReport): Record<string, unknown> | undefined {
  if (!requestable.includes(job) || typeof data !== "object" || data === null) return undefined;
  const members = Object.entries(data).filter(([name]) => !origins.has(name));
  const request: Record<string, unknown> = { ...Object.fromEntries(members), job, dryRun: true };
  const needsAdmin = request.takeover === true || request.now === true || request.export === false;
  return needsAdmin && !may("admin") ? undefined : request;
}

/** Returns what cancelling the job does. */
function consequenceOf({ job, state, startedAt }: JobReport): string {
  if (job === "migrate" && startedAt !== null)
    return "It ends at its next pass, and is undone unless .homehost has already been replaced.";
  if (state === "active") return "It stops at its next batch. What it moved stays moved.";
  return startedAt === null
    ? "It is taken from its queue. It has not started."
    : "It is taken from its queue. What it moved stays moved.";
}

/** The buttons of a job: what its state and the token allow. */
export class JobActions {
  #isBusy = false;
  #outcome: { text: string; isBad: boolean } | undefined;

  view(job: JobReport): TemplateResult {
    if (!may("operate")) return html`<p class="quiet">Your token may only read.</p>`;
    const dryRun = dryRunOf(job);
    // Not disabled while it works: the focus would be lost.
    const button = (text: string, act: () => Promise<void>) =>
      html`<button type="button" class="outline" aria-busy=${this.#isBusy} @click=${act}>${text}</button>`;
    return html`<div class="actions">
        ${isUnfinished(job.state) ? button("Cancel", () => this.#confirmCancel(job)) : nothing}
        ${
          job.state === "failed" && requestable.includes(job.job)
            ? button("Retry", () => this.#do(() => this.#retry(job)))
            : nothing
        }
        ${dryRun === undefined ? nothing : button("Run again as a dry run", () => this.#do(() => this.#enqueue(dryRun)))}
      </div>
      <p role="status" class=${this.#outcome?.isBad === true ? "bad path" : "path"}>${shown(this.#outcome?.text ?? "")}</p>`;
  }

  async #do(act: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#outcome = undefined;
    changed();
    try {
      await act();
    } catch (error) {
      this.#outcome = { text: (error as Error).message, isBad: true };
    }
    this.#isBusy = false;
    changed();
  }

  async #confirmCancel(job: JobReport): Promise<void> {
    if (await confirmed(`Cancel ${shown(job.jobId)}?`, consequenceOf(job), "Cancel the job"))
      await this.#do(() => this.#cancel(job));
  }

  async #cancel({ jobId, host }: JobReport): Promise<void> {
    const { outcome } = await ask<Cancelled>(jobPath(jobId, host), undefined, "DELETE");
    const words = {
      removed: "It was taken from its queue; it had not started.",
      ended: "It was taken from its queue. What it moved stays moved.",
      requested: "It ends at its next batch.",
      finished: "It had ended before.",
    };
    this.#outcome = { text: words[outcome], isBad: false };
  }

  async #retry({ jobId, host }: JobReport): Promise<void> {
    const retried = await ask<Retried>(jobPath(jobId, host, "/retry"), undefined, "POST");
    go(jobAddress(retried.jobId, retried.host));
  }

  async #enqueue(request: Record<string, unknown>): Promise<void> {
    const enqueued = await ask<Enqueued>("jobs", request);
    go(jobAddress(enqueued.jobId, enqueued.host));
  }
}
