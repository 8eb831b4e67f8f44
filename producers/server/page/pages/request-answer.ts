import { html, type TemplateResult } from "lit-html";
import type { DrainResult, Schedule } from "../../../contract/schedule.ts";
import { number, shown } from "../data/format.ts";
import { areaLink, hostLink, jobLink } from "../widgets/links.ts";

/** What the server answered to a schedule or a drain. */
export type Answer = { schedule: Schedule } | { drain: DrainResult };

export function answerText(answer: Answer): TemplateResult {
  return "schedule" in answer ? added(answer.schedule) : drained(answer.drain);
}

function added({ name, next, host, area }: Schedule): TemplateResult {
  return html`<p class="good path">
    The schedule <a href="schedules">${shown(name)}</a> of ${areaLink(area)} is in the queue of ${hostLink(host)}${
      next === null ? "" : `; it is next due at ${next}`
    }.
  </p>`;
}

function drained({ dryRun, enqueued, stayed, warnings, host }: DrainResult): TemplateResult {
  return html`<p class=${dryRun ? "" : "good"}>
      ${
        dryRun
          ? `${number(enqueued.length)} areas would be asked to leave ${shown(host)}: the dry runs of their migrations say whether they can.`
          : `${shown(host)} takes no new areas. Its areas are being migrated:`
      }
    </p>
    <ul>
      ${enqueued.map(({ area, to, jobId }) => html`<li class="path">${areaLink(area)} to ${hostLink(to)}: ${jobLink(jobId, to)}</li>`)}
      ${stayed.map(({ area, message }) => html`<li class="bad path">${areaLink(area)} stays: ${shown(message)}</li>`)}
    </ul>
    ${warnings.map((warning) => html`<p class="path">${shown(warning)}</p>`)}`;
}
