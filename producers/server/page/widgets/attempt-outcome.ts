import { html, nothing, type TemplateResult } from "lit-html";
import type { MoveResult } from "../../../../shared/contract/move-result.ts";
import { verbOf } from "../../../../shared/job-verbs.ts";
import { bytes, number, runs, shown } from "../data/format.ts";
import type { Attempt } from "./attempt.ts";
import { hostLink, jobLink } from "./links.ts";
import { progressOf } from "./progress.ts";

/** Listed runs of a result; the job's page has all. */
const listed = 50;

/** A button that starts the real job; only after a dry run of it that would do something. */
export function startForReal(
  attempt: Attempt | undefined,
  start: () => void,
): TemplateResult | typeof nothing {
  const { request, dryRun, job } = attempt ?? {};
  if (request === undefined || dryRun !== true || job?.state !== "completed") return nothing;
  // A migration's result has other members.
  const count = job.result?.moved?.runs;
  if (count === 0) return nothing;
  const kind = String(request.job);
  const what = count === undefined ? "" : ` ${runs(count)}`;
  return html`<button type="button" class="secondary" @click=${start}>
    ${kind.charAt(0).toUpperCase()}${kind.slice(1)}${what} now
  </button>`;
}

/** How far a job has come, or what it did; its form shows why the server refused it. */
export function outcomeOf(attempt: Attempt | undefined): TemplateResult | typeof nothing {
  if (attempt === undefined || attempt.trouble !== undefined) return nothing;
  const { request, dryRun, job } = attempt;
  if (job === undefined) return html`<p>requesting</p>`;
  const link = (text?: string) => jobLink(job.jobId, job.host, text);
  if (job.error !== undefined) {
    const { message, hint } = job.error;
    return html`<p class="bad path">
      ${job.state}: ${shown(message)}${hint === undefined ? "" : `: ${shown(hint)}`}. ${link("Show the job")}
    </p>`;
  }
  if (job.state === "active") return progressOf(job);
  if (job.state !== "completed" || job.result === undefined)
    return html`<p>${link()} is ${job.state} at ${hostLink(job.host)}.</p>`;
  const { result } = job;
  return html`<p class=${dryRun ? "" : "good"}>${doneText(request.job, dryRun, result)} ${link("Show the job")}</p>
    ${runList(result)}
    ${(result.warnings ?? []).map((warning) => html`<p class="path">${shown(warning)}</p>`)}`;
}

function doneText(kind: unknown, dryRun: boolean, result: MoveResult): string {
  const { moved, skippedCounts, estimatedBytes } = result;
  // A migration's result has other members.
  if (moved === undefined) return dryRun ? "It could move now." : "Done.";
  const { did } = verbOf(kind);
  const stay = Object.entries(skippedCounts).map(([reason, count]) => `${number(count)} ${reason}`);
  const rest = stay.length === 0 ? "" : `; not ${did}: ${stay.join(", ")}`;
  return `${runs(moved.runs ?? 0)} ${dryRun ? `would be ${did}` : did}${sizeText(kind, estimatedBytes)}${rest}.`;
}

function sizeText(kind: unknown, estimated: number | undefined): string {
  if (estimated === undefined) return "";
  return `, about ${bytes(estimated)} of ${kind === "reduce" ? "megatest.db" : "completed-runs.db"}`;
}

function runList({ runs: all = [], moved }: MoveResult): TemplateResult | typeof nothing {
  if (all.length === 0) return nothing;
  const rest = (moved.runs ?? 0) - Math.min(all.length, listed);
  return html`<details>
    <summary>The runs</summary>
    <ul class="path">
      ${all.slice(0, listed).map(({ id, target, runname }) => html`<li>${shown(`${target}/${runname}`)} <span class="quiet">run ${id}</span></li>`)}
    </ul>
    ${rest > 0 ? html`<p class="quiet">and ${number(rest)} more</p>` : nothing}
  </details>`;
}
