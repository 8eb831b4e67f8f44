import { html, nothing, type TemplateResult } from "lit-html";
import type { AutomaticStatus } from "../../contract/fleet.ts";
import { failureText } from "./area-row.ts";
import { ago } from "./format.ts";
import { state } from "./state.ts";

type Open = (path: string) => void;

const areaButton = (area: string, open: Open) =>
  html`<button class="small outline path" @click=${() => open(area)}>${area}</button>`;

function scheduleRow({ name, area, host, next, ok, last }: AutomaticStatus, open: Open): TemplateResult {
  return html`<tr>
    <th scope="row" class=${ok ? "" : "bad"}>${name}</th>
    <td data-label="area">${areaButton(area, open)}</td>
    <td data-label="host">${host}</td>
    <td data-label="next">${next === null ? "–" : ago(next)}</td>
    <td data-label="last">${last === null ? "–" : ago(last.endedAt)}</td>
  </tr>`;
}

function schedulesTable(schedules: readonly AutomaticStatus[], open: Open): TemplateResult | typeof nothing {
  if (schedules.length === 0) return nothing;
  return html`<details>
    <summary>${schedules.length === 1 ? "1 schedule" : `${schedules.length} schedules`}</summary>
    <div class="overflow-auto">
      <table class="cards">
        <thead>
          <tr>
            ${["Schedule", "Area", "Host", "Next", "Last job"].map((title) => html`<th scope="col">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${schedules.map((schedule) => scheduleRow(schedule, open))}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** Shows failing schedules and policies prominently, and all schedules; nothing if there are none. */
export function automaticView(open: Open): TemplateResult | typeof nothing {
  const all = state.fleet?.automatic ?? [];
  if (all.length === 0) return nothing;
  const failing = all.filter(({ ok }) => !ok);
  return html`<h2>Schedules and policies</h2>
    ${
      failing.length === 0
        ? nothing
        : html`<ul class="failing" role="alert">
          ${failing.map(
            (each) => html`<li class="bad">${failureText(each)} ${areaButton(each.area, open)}</li>`,
          )}
        </ul>`
    }
    ${schedulesTable(
      all.filter(({ kind }) => kind === "schedule"),
      open,
    )}`;
}
