import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { BrowsedRun } from "../../../contract/runs.ts";
import { shown } from "../data/format.ts";
import { may } from "../data/state.ts";
import { begun, runLink, sqlLink } from "../widgets/links.ts";
import type { Selection } from "./selection.ts";
import { runState } from "./state-text.ts";

const columns = ["Run", "Target", "State", "Began", "Lives in", "Owner"];

/** A run's tests with their target and name, which are no ids. */
export function testsSql(id: BrowsedRun["id"]): string {
  return `SELECT testname, item_path, state, status, run_duration, rundir\nFROM tests WHERE run_id = ${id} ORDER BY testname, item_path`;
}

function row(area: string, run: BrowsedRun, selection: Selection): TemplateResult {
  const { id, target, runname, state, status, begunAt, where, owner, comment, cut } = run;
  const name = shown(runname || "(no name)");
  const select = (event: Event) => selection.set([run], (event.target as HTMLInputElement).checked);
  return html`<tr data-run=${id}>
    ${
      may("operate")
        ? html`<td data-label="select"><input type="checkbox" aria-label="Select ${name}, run ${id}" .checked=${selection.has(run)} @change=${select} /></td>`
        : nothing
    }
    <th scope="row">
      <div class="name">${runLink(area, id, runname || "(no name)")}</div>
      <div class="quiet">run ${id}${cut === undefined ? "" : `; cut: ${cut.join(", ")}`}</div>
    </th>
    <td data-label="target"><div class="name path">${shown(target)}</div></td>
    <td data-label="state">${runState(state, status)}${comment ? html`<div class="quiet name path">${shown(comment)}</div>` : nothing}</td>
    <td data-label="began">${begun(begunAt)}</td>
    <td data-label="lives in">${where}</td>
    <td data-label="owner" class="path">${shown(owner ?? "")}</td>
    ${may("operate") ? html`<td data-label="query">${sqlLink(area, testsSql(id), "SQL")}</td>` : nothing}
  </tr>`;
}

export function runList(
  area: string,
  runs: readonly BrowsedRun[],
  selection: Selection,
  isBusy: boolean,
): TemplateResult {
  const isAll = runs.length > 0 && runs.every((run) => selection.has(run));
  const selectAll = (event: Event) => selection.set(runs, (event.target as HTMLInputElement).checked);
  const box = html`<th scope="col"><input type="checkbox" aria-label="Select all runs on this page" .checked=${isAll} @change=${selectAll} /></th>`;
  return html`<div class="wide" aria-busy=${isBusy}>
    <table class="cards runs" aria-label="Runs">
      <thead>
        <tr>
          ${may("operate") ? box : nothing} ${columns.map((title) => html`<th scope="col">${title}</th>`)}
          ${may("operate") ? html`<th scope="col">Query</th>` : nothing}
        </tr>
      </thead>
      <tbody>
        ${repeat(
          runs,
          ({ id }) => id,
          (run) => row(area, run, selection),
        )}
      </tbody>
    </table>
  </div>`;
}
