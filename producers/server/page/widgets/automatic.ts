import { html, nothing, type TemplateResult } from "lit-html";
import { policyText } from "../../../../shared/area/config/policy-name.ts";
import type { AutomaticStatus } from "../../../contract/fleet.ts";
import { shown } from "../data/format.ts";
import { cardTable } from "./card-table.ts";
import { areaLink, hostLink, jobLink, when } from "./links.ts";

/** `schedule nightly: its last job failed …` */
export function failureText({ kind, name, problem }: AutomaticStatus): string {
  return shown(`${kind === "schedule" ? `schedule ${name}` : policyText(name)}: ${problem}`);
}

function scheduleRow({ name, area, host, next, paused, ok, last }: AutomaticStatus): TemplateResult {
  return html`<tr>
    <th scope="row" class=${ok ? "path" : "path bad"}>${shown(name)}</th>
    <td data-label="area">${areaLink(area)}</td>
    <td data-label="host">${hostLink(host)}</td>
    <td data-label="next">${paused !== null ? "paused" : next === null ? "–" : when(next)}</td>
    <td data-label="last job">
      ${last === null ? "–" : html`${when(last.endedAt)} ${jobLink(last.jobId, last.host)}`}
    </td>
  </tr>`;
}

export function schedulesTable(schedules: readonly AutomaticStatus[]): TemplateResult {
  const titles = ["Schedule", "Area", "Host", "Next", "Last job"];
  return cardTable("Schedules", titles, schedules.map(scheduleRow));
}

/** Lists schedules, and lines of `[reduce-records]`, whose last job failed; nothing if there are none. */
export function failingList(all: readonly AutomaticStatus[]): TemplateResult | typeof nothing {
  const failing = all.filter(({ ok }) => !ok);
  if (failing.length === 0) return nothing;
  return html`<div role="alert">
    <ul class="failing" tabindex="0" aria-label="Failing schedules and policies">
      ${failing.map((each) => html`<li><span class="bad">${failureText(each)}</span> ${areaLink(each.area)}</li>`)}
    </ul>
  </div>`;
}
