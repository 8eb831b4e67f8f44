import { html, nothing, type TemplateResult } from "lit-html";
import type { Diagnosis, FoundArea } from "../../contract/area.ts";
import type { AutomaticStatus } from "../../contract/fleet.ts";
import type { Area, HistoryLine, Job } from "./documents.ts";
import { ago, bytes, number, runs } from "./format.ts";
import { progressOf } from "./hosts-view.ts";
import { areaDetails, diagnoses } from "./poller.ts";
import { homeName, state } from "./state.ts";

/** Returns the unfinished jobs of an area, the next one first. */
export function jobsOf(path: string): Job[] {
  return (state.fleet?.jobs ?? []).filter(({ area }) => area === path).reverse();
}

/** `reduce, 12 runs, 3 days ago` */
export function lastJob(line: HistoryLine | undefined): TemplateResult {
  if (line === undefined) return html`<span class="quiet">none</span>`;
  const { job, state: end, at = "", moved, error } = line;
  const when = html`<span class="quiet">${ago(at)}</span>`;
  if (end === "completed") return html`${job}, ${runs(moved?.runs ?? 0)} ${when}`;
  return html`<span class="bad" title=${error?.message ?? ""}>${job} ${end}</span> ${when}`;
}

function nextJob(path: string): TemplateResult {
  const [first, ...others] = jobsOf(path);
  if (first === undefined) return html`<span class="quiet">none</span>`;
  const more = others.length === 0 ? "" : `, ${others.length} more`;
  if (first.state === "active") return html`<div>${progressOf({ ...first, area: null })}${more}</div>`;
  return html`${first.job} ${first.state}${more}`;
}

export function lockOf({ held, lease }: Pick<Area, "held" | "lease">): string {
  if (lease !== null) return `held by ${lease.holder}`;
  return held === null ? "unknown" : held ? "held" : "free";
}

/** `from hostA to hostB (closed)` during a migration; otherwise undefined. */
export function wayOf({ migration }: Pick<Area, "migration">): string | undefined {
  if (migration === null || !migration.open) return undefined;
  return `from ${migration.fromHost} to ${migration.toHost} (${migration.state})`;
}

/** Shows the holder of the area, and what prevents jobs. */
function holdCell(area: Area): TemplateResult {
  const way = wayOf(area);
  return html`${lockOf(area)}
    ${area.paused === null ? nothing : html`<div class="bad">paused by a stop file</div>`}
    ${way === undefined ? nothing : html`<div>moves ${way}</div>`}`;
}

/** `schedule nightly: its last job failed …` */
export function failureText({ kind, name, problem }: AutomaticStatus): string {
  return `${kind === "schedule" ? "schedule" : "[reduce-records]"} ${name}: ${problem}`;
}

export function warningsOf(area: Area | undefined, diagnosis: Diagnosis | undefined): string[] {
  const faults = diagnosis?.checks.filter(({ ok }) => ok === false) ?? [];
  const failing = area?.automatic?.filter(({ ok }) => !ok) ?? [];
  return [...failing.map(failureText), ...(area?.problems ?? []), ...faults.map(({ verdict }) => verdict)];
}

function warningCell(path: string): TemplateResult {
  const diagnosis = diagnoses.get(path);
  const warnings = warningsOf(areaDetails.get(path)?.value, diagnosis?.value);
  const [first, ...others] = [...warnings, ...(diagnosis?.trouble === undefined ? [] : [diagnosis.trouble])];
  if (first !== undefined) {
    return html`<span class="bad path">${first}${others.length === 0 ? "" : ` (and ${others.length} more)`}</span>`;
  }
  return diagnosis === undefined
    ? html`<span class="quiet">checking…</span>`
    : html`<span class="good">none</span>`;
}

function figures(path: string): TemplateResult {
  const { value, trouble } = areaDetails.get(path) ?? {};
  if (value === undefined && trouble !== undefined) {
    return html`<td colspan="7" data-label="trouble" class="bad">${trouble}</td>`;
  }
  const { bytes: sizes } = value ?? { bytes: {} as Record<string, number> };
  return html`<td class="number" data-label="megatest.db">${bytes(sizes["megatest.db"])}</td>
    <td class="number" data-label="runs">${number(value?.runs)}</td>
    <td class="number" data-label="completed-runs.db">${bytes(sizes["completed-runs.db"])}</td>
    <td class="number" data-label="moved runs">${number(value?.completedRuns)}</td>
    <td data-label="last job">${value === undefined ? "–" : lastJob(value.history[0])}</td>
    <td data-label="next job">${nextJob(path)}</td>
    <td data-label="lock">${value === undefined ? "–" : holdCell(value)}</td>`;
}

export function areaRow(area: FoundArea, open: (path: string) => void): TemplateResult {
  const { area: path, name, problem } = area;
  return html`<tr data-area=${path}>
    <th scope="row">
      <button class="small outline" @click=${() => open(path)}>${name ?? path.split("/").at(-1)}</button>
      <div class="quiet path">${path}</div>
    </th>
    <td data-label="homehost">${homeName(area) || "–"}</td>
    ${
      problem === null
        ? html`${figures(path)}<td data-label="warnings">${warningCell(path)}</td>`
        : html`<td colspan="8" data-label="warnings" class="bad">${problem}</td>`
    }
  </tr>`;
}
