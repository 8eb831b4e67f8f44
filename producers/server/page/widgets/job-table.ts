import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { verbOf } from "../../../../shared/job-verbs.ts";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { JobSummary } from "../../../contract/job.ts";
import { runs, shown } from "../data/format.ts";
import { cardTable } from "./card-table.ts";
import { areaLink, hostLink, jobLink, when } from "./links.ts";
import { progressText } from "./progress.ts";

const columns = ["Job", "State", "Area", "Host", "Requested by", "Requested", "Took", "Outcome"];

const classes: Record<string, string> = { completed: "good", failed: "bad", active: "active" };

export function stateText(state: string): TemplateResult {
  return html`<span class=${classes[state] ?? ""}>${shown(state)}</span>`;
}

/** `reduce (dry run)`, `migrate-step check` */
export function kindText({ job, dryRun, step }: Pick<JobSummary, "job" | "dryRun" | "step">): string {
  return shown(`${job}${step === null ? "" : ` ${step}`}${dryRun ? " (dry run)" : ""}`);
}

function outcome(job: JobSummary): TemplateResult | string | typeof nothing {
  if (job.error !== undefined) return html`<span class="bad">${shown(job.error.message)}</span>`;
  if (job.forwarded !== undefined) {
    const { host, jobId } = job.forwarded;
    return html`continues on ${hostLink(host)} as ${jobLink(jobId, host)}`;
  }
  // A migration delays its job while it waits for the other host.
  const isAtWork = job.state === "active" || (job.job === "migrate" && job.state === "delayed");
  if (isAtWork) return progressText(job.progress);
  const warnings = job.warnings === 0 ? "" : `, ${job.warnings} warning${job.warnings === 1 ? "" : "s"}`;
  if (job.outcome !== null) return `${shown(job.outcome)}${warnings}`;
  if (job.movedRuns === null) return nothing;
  const verb = verbOf(job.job).did;
  return `${runs(job.movedRuns)} ${job.dryRun ? `would be ${verb}` : verb}${warnings}`;
}

function tookText({ startedAt, finishedAt }: Pick<JobSummary, "startedAt" | "finishedAt">): string {
  if (startedAt === null || finishedAt === null) return "–";
  return elapsedText(Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)));
}

function row(job: JobSummary, withHost: boolean): TemplateResult {
  return html`<tr data-job=${job.jobId}>
    <th scope="row">
      ${jobLink(job.jobId, job.host, kindText(job))}
      <div class="quiet path">${shown(job.jobId)}</div>
    </th>
    <td data-label="state">${stateText(job.state)}</td>
    <td data-label="area">${job.area === null ? "–" : areaLink(job.area)}</td>
    ${withHost ? html`<td data-label="host">${hostLink(job.host)}</td>` : nothing}
    <td data-label="requested by" class="path">${shown(job.requestedBy ?? "–")}</td>
    <td data-label="requested">${when(job.addedAt)}</td>
    <td data-label="took">${tookText(job)}</td>
    <td data-label="outcome" class="path">${outcome(job)}</td>
  </tr>`;
}

/** A table of jobs; of one host's without the column that says so. */
export function jobTable(
  label: string,
  jobs: readonly JobSummary[] | undefined,
  { withHost = true } = {},
): TemplateResult {
  if (jobs?.length === 0) return html`<p class="quiet">none</p>`;
  const titles = columns.filter((title) => withHost || title !== "Host");
  const rows = repeat(
    jobs ?? [],
    ({ host, jobId }) => `${host} ${jobId}`,
    (job) => row(job, withHost),
  );
  return cardTable(label, titles, rows, { isBusy: jobs === undefined });
}
