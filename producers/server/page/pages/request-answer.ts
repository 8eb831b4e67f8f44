import { html, nothing, type TemplateResult } from "lit-html";
import type { JobSummary } from "../../../contract/job.ts";
import type { DrainedArea, DrainResult, Schedule } from "../../../contract/schedule.ts";
import { number, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { stateText } from "../widgets/job-table.ts";
import { areaLink, hostLink, jobLink } from "../widgets/links.ts";

/** What the server answered to a schedule or a drain. */
export type Answer = { schedule: Schedule } | { drain: DrainResult };

/** Jobs read to find those of a drain, the newest: as many as the server sends. */
const mostJobs = 1000;
const ends = ["completed", "failed", "cancelled"];

/** Shows an answer, and how the migrations of a drain proceed. */
export class AnswerView {
  readonly #jobs = new Resource<{ jobs: JobSummary[] }>({ freshFor: 2_000 });

  view(answer: Answer): TemplateResult {
    if ("schedule" in answer) return added(answer.schedule);
    if (answer.drain.enqueued.length === 0) return drained(answer.drain, new Map());
    const known = new Map(this.#jobs.value?.jobs.map((job) => [job.jobId, job]));
    const isOver = answer.drain.enqueued.every(({ jobId }) => ends.includes(known.get(jobId)?.state ?? ""));
    const request = new URLSearchParams({ brief: "true", job: "migrate", limit: String(mostJobs) });
    if (!isOver) this.#jobs.want(`jobs?${request}`);
    return drained(answer.drain, known);
  }
}

function added({ name, next, host, area }: Schedule): TemplateResult {
  return html`<p class="good path">
    The schedule <a href="schedules">${shown(name)}</a> of ${areaLink(area)} is in the queue of ${hostLink(host)}${
      next === null ? "" : `; it is next due at ${next}`
    }.
  </p>`;
}

type Jobs = ReadonlyMap<string, JobSummary>;

function drained(drain: DrainResult, jobs: Jobs): TemplateResult {
  const { enqueued, stayed, warnings } = drain;
  return html`<p class="path">${summary(drain, jobs)}</p>
    <ul>
      ${enqueued.map((each) => migration(each, jobs.get(each.jobId), drain.dryRun))}
      ${stayed.map(({ area, message }) => html`<li class="bad path">${areaLink(area)} stays: ${shown(message)}</li>`)}
    </ul>
    ${warnings.map((warning) => html`<p class="path">${shown(warning)}</p>`)}`;
}

/** `hostA takes no new areas. Areas at home there: 3. Of these 1 moved, 1 stays, 1 not decided yet.` */
function summary({ dryRun, enqueued, stayed, host }: DrainResult, jobs: Jobs): string {
  const total = enqueued.length + stayed.length;
  const taken = dryRun ? "" : `${shown(host)} takes no new areas. `;
  if (total === 0) return `${taken}No area is at home on ${shown(host)}.`;
  const states = enqueued.map(({ jobId }) => jobs.get(jobId)?.state ?? "waiting");
  const moved = states.filter((state) => state === "completed").length;
  const open = states.filter((state) => !ends.includes(state)).length;
  const left = total - moved - open;
  const stay = left === 1 ? "stays" : "stay";
  const counts = [
    `${number(moved)} ${dryRun ? "can move" : "moved"}`,
    `${number(left)} ${dryRun ? "cannot move now" : stay}`,
    ...(open === 0 ? [] : [`${number(open)} not decided yet`]),
  ];
  return `${taken}Areas at home there: ${number(total)}. Of these ${counts.join(", ")}.`;
}

function migration(
  { area, to, jobId }: DrainedArea,
  job: JobSummary | undefined,
  dryRun: boolean,
): TemplateResult {
  const error = job?.error?.message;
  const state =
    job?.state === "completed" && dryRun
      ? html`<span class="good">can move</span>`
      : stateText(job?.state ?? "waiting");
  return html`<li class="path" data-area=${area}>
    ${areaLink(area)} to ${hostLink(to)}: ${state} ${jobLink(jobId, to)}
    ${error === undefined ? nothing : html`<span class="bad">${shown(error)}</span>`}
  </li>`;
}
