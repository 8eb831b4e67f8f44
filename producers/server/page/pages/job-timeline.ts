import { html, nothing, type TemplateResult } from "lit-html";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { JobReport, JobSummary } from "../../../contract/job.ts";
import { clock, shown } from "../data/format.ts";
import { stateText } from "../widgets/job-table.ts";
import { hostLink, jobLink } from "../widgets/links.ts";

/** Something that happened to a job; `at` is null if it is still to come. */
interface Happening {
  at: string | null;
  text: TemplateResult;
}

const between = (from: string, to: string) => elapsedText(Math.max(0, Date.parse(to) - Date.parse(from)));

function stepHappening(step: JobSummary): Happening {
  const { startedAt, finishedAt, addedAt, error } = step;
  const took = startedAt !== null && finishedAt !== null ? ` in ${between(startedAt, finishedAt)}` : "";
  const reason = error === undefined ? nothing : html`: <span class="bad">${shown(error.message)}</span>`;
  return {
    at: startedAt ?? addedAt,
    text: html`step ${jobLink(step.jobId, step.host, step.step ?? step.jobId)} on ${hostLink(step.host)}
      ${stateText(step.state)}${took}${reason}`,
  };
}

function startHappening({
  job,
  startedAt,
  addedAt,
  attempts,
  worker,
  host,
}: JobReport): Happening | undefined {
  if (startedAt === null) return undefined;
  // A migration takes its job up anew for each pass.
  const again = attempts > 1 && job !== "migrate" ? `, ${attempts} attempts until now` : "";
  return {
    at: startedAt,
    text: html`started on ${hostLink(host)} after ${between(addedAt, startedAt)}${worker === null ? "" : ` by ${shown(worker)}`}${again}`,
  };
}

function endHappening({ finishedAt, startedAt, addedAt, state, forwarded }: JobReport): Happening {
  if (finishedAt === null) return { at: null, text: stateText(state) };
  const took =
    startedAt === null
      ? `without a start, after ${between(addedAt, finishedAt)}`
      : `after ${between(startedAt, finishedAt)}`;
  const where =
    forwarded === undefined
      ? nothing
      : html` to ${hostLink(forwarded.host)} as ${jobLink(forwarded.jobId, forwarded.host)}`;
  return { at: finishedAt, text: html`${stateText(state)}${where} ${took}` };
}

/** Shows when a job was requested, how long it waited, when it started, the steps of a migration, and its end. */
export function timeline(job: JobReport, steps: readonly JobSummary[]): TemplateResult {
  const start = startHappening(job);
  const request = html`requested by <span class="path">${shown(job.requestedBy ?? "an unknown user")}</span>`;
  const past: Happening[] = [
    { at: job.addedAt, text: request },
    ...(start === undefined ? [] : [start]),
    ...steps.map(stepHappening),
  ];
  past.sort((one, other) => ((one.at ?? "") < (other.at ?? "") ? -1 : 1));
  return html`<ol class="timeline">
    ${[...past, endHappening(job)].map(
      ({ at, text }) =>
        html`<li>
          ${at === null ? html`<span class="quiet">now</span>` : html`<time datetime=${at}>${clock(at)}</time>`} ${text}
        </li>`,
    )}
  </ol>`;
}
