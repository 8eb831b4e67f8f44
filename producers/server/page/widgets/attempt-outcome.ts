import { html, nothing, type TemplateResult } from "lit-html";
import type { MoveResult } from "../../../../shared/contract/move-result.ts";
import { verbOf } from "../../../../shared/job-verbs.ts";
import { estimateText } from "../../../format/estimate.ts";
import { bytes, number, runs, shown } from "../data/format.ts";
import type { Attempt } from "./attempt.ts";
import { hostLink, jobLink } from "./links.ts";
import { progressOf } from "./progress.ts";

/** Listed runs of a result; the job's page has all. */
const listed = 50;

/** A button that starts the real job, only after a dry run of it that would do something; busy while that runs. */
export function startForReal(
  attempt: Attempt | undefined,
  start: () => void,
): TemplateResult | typeof nothing {
  if (attempt === undefined) return nothing;
  const { request, dryRun, job } = attempt;
  const kind = String(request.job);
  const name = capital(kind);
  if (!dryRun && attempt.isBusy) return html`<button type="button" aria-busy="true">${name}</button>`;
  if (!dryRun || job?.state !== "completed") return nothing;
  // A migration's result has other members.
  const count = job.result?.moved?.runs;
  const vacuums = request.compact === "always";
  if (count === 0 && !vacuums) return nothing;
  const what = count === undefined ? "" : ` ${runs(count)}${vacuums ? " and vacuum" : ""}`;
  return html`<button type="button" @click=${start}>${name}${what} now</button>`;
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
  const { moved, skippedCounts } = result;
  // A migration's result has other members.
  if (moved === undefined) return dryRun ? "It could move now." : "Done.";
  const { did } = verbOf(kind);
  const stay = Object.entries(skippedCounts).map(([reason, count]) => `${number(count)} ${reason}`);
  const rest = stay.length === 0 ? "" : `; not ${did}: ${stay.join(", ")}`;
  const done = `${runs(moved.runs ?? 0)} ${dryRun ? `would be ${did}` : did}${rest}.`;
  if (!dryRun) return `${done} ${sizesText(kind, result)}`;
  const estimate = estimateText(result, bytes);
  return estimate === "" ? done : `${done} ${capital(estimate)}.`;
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** `megatest.db 46.1 MB → 1.11 MB, completed-runs.db 0 B → 45.5 MB.` */
function sizesText(kind: unknown, { bytes: sizes }: MoveResult): string {
  const changes = ["megatest.db", "completed-runs.db"].flatMap((file) => {
    const size = sizes[file];
    return size === undefined ? [] : [`${file} ${bytes(size.before)} → ${bytes(size.after)}`];
  });
  const again = kind === "restore" ? " A later reduce whose rules match moves them again." : "";
  return `${changes.join(", ")}.${again}`;
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
