import { html, nothing, type TemplateResult } from "lit-html";
import type { RunId } from "../../../../shared/sqlite/run-id.ts";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { BrowsedData, BrowsedStep, TestDetail } from "../../../contract/runs.ts";
import { ask } from "../data/api.ts";
import { shown } from "../data/format.ts";
import { changed, may } from "../data/state.ts";
import { cardTable } from "../widgets/card-table.ts";
import { copyable } from "../widgets/copyable.ts";
import { begunAt, sqlLink } from "../widgets/links.ts";
import { runState, stepState } from "./state-text.ts";

type Part = "steps" | "data";

/** One test with its directories, steps and data, read when it is opened; more of them when the user asks. */
export class TestDetails {
  readonly #area: string;
  readonly #path: string;
  #test: TestDetail | undefined;
  #trouble: string | undefined;

  constructor(area: string, runId: RunId, testId: string) {
    this.#area = area;
    this.#path = `areas/by-path/runs/${runId}/tests/${encodeURIComponent(testId)}`;
    void this.#read();
  }

  async #read(part?: Part): Promise<void> {
    const next = part === undefined ? null : (this.#test?.[part].next ?? null);
    const more = part === undefined || next === null ? {} : { [part]: next };
    try {
      const found = await ask<TestDetail>(
        `${this.#path}?${new URLSearchParams({ path: this.#area, ...more })}`,
      );
      this.#take(found, part);
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = (error as Error).message;
    }
    changed();
  }

  #take(found: TestDetail, part: Part | undefined): void {
    if (this.#test === undefined || part === undefined) {
      this.#test = found;
      return;
    }
    const { steps, data } = this.#test;
    this.#test =
      part === "steps"
        ? { ...this.#test, steps: { rows: [...steps.rows, ...found.steps.rows], next: found.steps.next } }
        : { ...this.#test, data: { rows: [...data.rows, ...found.data.rows], next: found.data.next } };
  }

  view(): TemplateResult {
    const trouble =
      this.#trouble === undefined
        ? nothing
        : html`<p class="bad path" role="alert">${shown(this.#trouble)}</p>`;
    if (this.#test === undefined)
      return this.#trouble === undefined ? html`<p aria-busy="true">Loading…</p>` : html`${trouble}`;
    const { test, steps, data } = this.#test;
    const sql = (table: string) =>
      may("operate")
        ? sqlLink(this.#area, `SELECT * FROM ${table} WHERE test_id = ${test.id} ORDER BY id`, "SQL")
        : nothing;
    return html`${trouble} ${facts(test)}
      <h3>Steps ${sql("test_steps")}</h3>
      ${table("Steps", ["Step", "State", "Began", "Took", "Log", "Comment"], stepsOf(steps.rows).map(stepRow))}
      ${this.#more("steps", steps.next)}
      <h3>Data ${sql("test_data")}</h3>
      ${table("Data", ["Variable", "Value", "Expected", "Tolerance", "Status", "Comment"], data.rows.map(dataRow))}
      ${this.#more("data", data.next)}`;
  }

  #more(part: Part, next: string | null): TemplateResult | typeof nothing {
    if (next === null) return nothing;
    return html`<button type="button" class="small outline" @click=${() => void this.#read(part)}>More ${part}</button>`;
  }
}

function facts(test: TestDetail["test"]): TemplateResult {
  const fact = (name: string, value: unknown) =>
    value == null || value === ""
      ? nothing
      : html`<dt>${name}</dt>
          <dd>${shown(String(value))}</dd>`;
  const path = (name: string, value: string | null | undefined) =>
    value == null || value === ""
      ? nothing
      : html`<dt>${name}</dt>
          <dd>${copyable(value, `Copy the ${name}`)}</dd>`;
  return html`<dl class="facts">
    ${path("directory", test.rundir)} ${fact("short path", test.shortdir)}
    ${fact("directory before it was restored", test.formerRundir)} ${path("log", logOf(test))}
    ${fact("comment", test.comment)} ${fact("attempt", test.attempt)} ${fact("machine", test.uname)} ${fact("CPU load", test.cpuload)}
    ${fact("disk free", test.diskfree)} ${fact("archived", test.archived)}
    ${fact("cut, because it is long", test.cut?.join(", "))}
  </dl>`;
}

/** The path of the test's log, which Megatest keeps relative to the directory. */
function logOf({ rundir, finalLog }: TestDetail["test"]): string | null {
  const isRelative = finalLog !== null && finalLog !== "" && !finalLog.startsWith("/") && rundir !== null;
  return isRelative ? `${rundir.replace(/\/+$/, "")}/${finalLog}` : finalLog;
}

const measures = new Set(["Value", "Expected", "Tolerance"]);

function table(label: string, titles: readonly string[], rows: readonly TemplateResult[]): TemplateResult {
  if (rows.length === 0) return html`<p class="quiet">none</p>`;
  return cardTable(label, titles, rows, { measures });
}

const text = (label: string, value: string | null) =>
  html`<td data-label=${label} class="path">${shown(value ?? "")}</td>`;

/** A step by its first row, and by the row of its end if it has one. */
interface Step {
  first: BrowsedStep;
  last: BrowsedStep;
}

/** Megatest has a row for the start of a step and one for its end. */
function stepsOf(rows: readonly BrowsedStep[]): Step[] {
  const steps: Step[] = [];
  const started = new Map<string | null, Step>();
  for (const row of rows) {
    const { stepname, state } = row;
    const known = state === "end" ? started.get(stepname) : undefined;
    if (known !== undefined) {
      known.last = row;
      started.delete(stepname);
      continue;
    }
    const step = { first: row, last: row };
    if (state === "start") started.set(stepname, step);
    steps.push(step);
  }
  return steps;
}

function stepRow({ first, last }: Step): TemplateResult {
  const took = first === last || first.begunAt === null ? null : (last.begunAt ?? Number.NaN) - first.begunAt;
  return html`<tr>
    <th scope="row"><div class="path">${shown(first.stepname ?? "")}</div></th>
    <td data-label="state">${stepState(last.state, last.status)}</td>
    <td data-label="began">${begunAt(first.begunAt)}</td>
    <td data-label="took">${took !== null && took >= 0 ? elapsedText(took * 1000) : "–"}</td>
    ${text("log", last.logfile || first.logfile)} ${text("comment", last.comment || first.comment)}
  </tr>`;
}

function dataRow(data: BrowsedData): TemplateResult {
  const name = [data.category, data.variable].filter((part) => part !== null && part !== "").join("/");
  const number = (label: string, value: unknown, units = "") =>
    html`<td data-label=${label} class="measure path">${value == null ? "" : shown(`${value} ${units}`.trim())}</td>`;
  return html`<tr>
    <th scope="row"><div class="path">${shown(name)}</div></th>
    ${number("value", data.value, data.units ?? "")} ${number("expected", data.expected)} ${number("tolerance", data.tol)}
    <td data-label="status">${runState(null, data.status)}</td>
    ${text("comment", data.comment)}
  </tr>`;
}
