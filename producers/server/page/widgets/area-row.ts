import { html, nothing, type TemplateResult } from "lit-html";
import type { Diagnosis, FoundArea } from "../../../contract/area.ts";
import type { Area, HistoryLine } from "../data/documents.ts";
import { bytes, number, runs, shown } from "../data/format.ts";
import { measuresByPath } from "../data/measures.ts";
import { areaDetails, diagnoses } from "../data/poller.ts";
import { homeName, jobsOf } from "../data/state.ts";
import { failureText } from "./automatic.ts";
import { areaLink, jobLink, when } from "./links.ts";
import { progressOf } from "./progress.ts";

/** `reduce, 12 runs, 3 days ago` */
export function lastJob(line: HistoryLine | undefined): TemplateResult {
  if (line === undefined) return html`<span class="quiet">none</span>`;
  const { jobId, job = "job", state: end, at = "", moved, error } = line;
  // A migration moves no runs.
  const count = moved?.runs === undefined ? "" : `, ${runs(moved.runs)}`;
  const what = end === "completed" ? `${job}${count}` : `${job} ${end}`;
  const reason = end === "completed" ? "" : shown(error?.message ?? "");
  return html`<span class=${end === "completed" ? "" : "bad"} title=${reason || nothing}>
      ${jobLink(jobId, line.host, what)}</span
    >
    <span class="quiet">${when(at)}</span>`;
}

function nextJob(path: string): TemplateResult {
  const [first, ...others] = jobsOf(path);
  if (first === undefined) return html`<span class="quiet">none</span>`;
  const more = others.length === 0 ? "" : `, ${others.length} more`;
  if (first.state === "active") return html`<div>${progressOf(first)}${more}</div>`;
  return html`${jobLink(first.jobId, first.host, first.job)} ${first.state}${more}`;
}

export function lockOf({ held, lease }: Pick<Area, "held" | "lease">): string {
  if (lease !== null) return `held by ${shown(lease.holder)}`;
  return held === null ? "unknown" : held ? "held" : "free";
}

/** `from hostA to hostB (closed)` during a migration; otherwise undefined. */
export function wayOf({ migration }: Pick<Area, "migration">): string | undefined {
  if (migration === null || !migration.open) return undefined;
  return shown(`from ${migration.fromHost} to ${migration.toHost} (${migration.state})`);
}

/** Shows the holder of the area, and what prevents jobs. */
function holdCell(area: Area): TemplateResult {
  const way = wayOf(area);
  return html`${lockOf(area)}
    ${area.paused === null ? nothing : html`<div class="bad">paused by a stop file</div>`}
    ${way === undefined ? nothing : html`<div>moves ${way}</div>`}`;
}

export function warningsOf(area: Area | undefined, diagnosis: Diagnosis | undefined): string[] {
  const faults = diagnosis?.checks.filter(({ ok }) => ok === false) ?? [];
  const failing = area?.automatic?.filter(({ ok }) => !ok) ?? [];
  return [
    ...failing.map(failureText),
    ...[...(area?.problems ?? []), ...faults.map(({ verdict }) => verdict)].map(shown),
  ];
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
  const measure = measuresByPath().get(path);
  if (value === undefined && trouble !== undefined) {
    return html`<td colspan="10" data-label="trouble" class="bad">${trouble}</td>`;
  }
  const sizes = value?.bytes ?? measure?.bytes ?? {};
  const oldest = measure?.oldestRunAt == null ? null : new Date(measure.oldestRunAt * 1000).toISOString();
  const perWeek = measure?.growthBytesPerWeek;
  return html`<td class="number" data-label="megatest.db">${bytes(sizes["megatest.db"])}</td>
    <td class="number" data-label="runs">${number(value?.runs ?? measure?.runs?.["megatest.db"])}</td>
    <td class="number" data-label="completed-runs.db">${bytes(sizes["completed-runs.db"])}</td>
    <td class="number" data-label="moved runs">${number(value?.completedRuns ?? measure?.runs?.["completed-runs.db"])}</td>
    <td class="number" data-label="growth">${perWeek == null ? "–" : `${bytes(perWeek)} a week`}</td>
    <td class="number" data-label="gain">${bytes(measure?.gainBytes)}</td>
    <td data-label="oldest run">${oldest === null ? "–" : when(oldest)}</td>
    <td data-label="last job">${value === undefined ? "–" : lastJob(value.history[0])}</td>
    <td data-label="next job">${nextJob(path)}</td>
    <td data-label="lock">${value === undefined ? "–" : holdCell(value)}</td>`;
}

/** An area's name, or if that is unknown, of its directory. */
export function nameOf({ area, name }: Pick<FoundArea, "area" | "name">): string {
  return name ?? area.split("/").at(-1) ?? area;
}

export function areaRow(area: FoundArea): TemplateResult {
  const { area: path, problem } = area;
  return html`<tr data-area=${path}>
    <th scope="row">
      ${areaLink(path, nameOf(area))}
      <div class="quiet path">${shown(path)}</div>
    </th>
    <td data-label="homehost">${shown(homeName(area)) || "–"}</td>
    ${
      problem === null
        ? html`${figures(path)}<td data-label="warnings">${warningCell(path)}</td>`
        : html`<td colspan="11" data-label="warnings" class="bad path">${shown(problem)}</td>`
    }
  </tr>`;
}
