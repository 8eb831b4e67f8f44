import { html, type TemplateResult } from "lit-html";
import { phaseText } from "../../../format/phase.ts";
import type { Job } from "../data/documents.ts";
import { number, runs, shown } from "../data/format.ts";
import { areaLink, jobLink } from "./links.ts";

/** `copying, 3 of 40 runs, 1,200 rows` */
export function progressText(progress: Job["progress"]): string {
  if (progress === null) return "starting";
  const { phase, runs: moved, rows } = progress;
  const counts = [
    ...(moved.total > 0 ? [`${number(moved.done)} of ${runs(moved.total)}`] : []),
    ...(rows.done > 0 ? [`${number(rows.done)} rows`] : []),
  ];
  return shown([phaseText(phase), ...counts].join(", "));
}

export function progressBar({ progress }: Pick<Job, "progress">): TemplateResult {
  const { done, total } = progress?.runs ?? { done: 0, total: 0 };
  return total > 0
    ? html`<progress max=${total} .value=${done} aria-label="runs done"></progress>`
    : html`<progress aria-label="running"></progress>`;
}

/** Shows a running job's phase, with a bar. */
export function progressOf(job: Job, { withArea = false } = {}): TemplateResult {
  const place = withArea && job.area !== null ? areaLink(job.area) : "";
  return html`<p class="path">
      ${jobLink(job.jobId, job.host, job.job)} ${place}<br /><span class="quiet">${progressText(job.progress)}</span>
    </p>
    ${progressBar(job)}`;
}
