import { html, nothing, type TemplateResult } from "lit-html";
import { verbOf } from "../../../../shared/job-verbs.ts";
import type { DrainResult, Schedule } from "../../../contract/schedule.ts";
import { ask, Refusal } from "../data/api.ts";
import { number, runs, shown } from "../data/format.ts";
import {
  commandLine,
  fieldsOf,
  type Given,
  membersOf,
  type RequestField,
  type RequestKind,
} from "../data/request-fields.ts";
import { type PageView, query, setQuery } from "../data/router.ts";
import { changed, may, state } from "../data/state.ts";
import { Attempt } from "../widgets/attempt.ts";
import { copyable } from "../widgets/copyable.ts";
import { textIn } from "../widgets/fields.ts";
import { areaLink, hostLink, jobLink } from "../widgets/links.ts";
import { progressOf } from "../widgets/progress.ts";

const kinds = Object.keys(fieldsOf) as RequestKind[];

/** Jobs that can be repeated. */
const repeatable: readonly RequestKind[] = ["reduce", "migrate"];

const repeatFields: readonly RequestField[] = [
  { name: "cron", label: "Repeat at (cron pattern)", kind: "text", example: "0 2 * * *" },
  { name: "every", label: "Or repeat every", kind: "text", example: "12h" },
  { name: "name", label: "Name of the schedule", kind: "text", example: "nightly" },
];

/** Listed runs of a result; the job's page has all. */
const listed = 50;

const about: Record<RequestKind, string> = {
  reduce: "Move finished runs to completed-runs.db.",
  restore: "Move runs back from completed-runs.db.",
  purge: "Remove moved runs for good, after each was exported and the export compared.",
  import: "Put an exported run back into completed-runs.db.",
  migrate: "Make another host the homehost of the area.",
  drain: "Migrate every area away from a host, and give it no new one.",
};

/** What the server answered to a schedule or a drain. */
type Answer = { schedule: Schedule } | { drain: DrainResult };

/** Requests a job of any kind: first as a dry run, then for real. What is typed stands in the address. */
export class RequestPage implements PageView {
  #attempt: Attempt | undefined;
  #answer: Answer | undefined;
  #trouble: Refusal | undefined;
  #isAsking = false;

  title(): string {
    return `Request a ${this.#kind}`;
  }

  close(): void {
    this.#attempt?.abandon();
  }

  view(): TemplateResult {
    if (state.me === undefined) return html`<h1>Request a job</h1><p aria-busy="true">Loading…</p>`;
    if (!may("operate")) return html`<h1>Request a job</h1><p class="quiet">Your token may only read.</p>`;
    const kind = this.#kind;
    return html`<h1>Request a job</h1>
      <form aria-label="Request a job" @submit=${(event: SubmitEvent) => this.#submit(event)}>
        <div class="choose">
          <label>Job
            <select name="job" @change=${(event: Event) => this.#type("job", textIn(event))}>
              ${kinds.map((each) => html`<option .selected=${each === kind}>${each}</option>`)}
            </select>
          </label>
          ${kind === "drain" ? this.#hostField() : this.#areaField()}
        </div>
        <p class="quiet">${about[kind]}</p>
        <div class="choose">${this.#fields(kind, false)}</div>
        <details ?open=${this.#hasMore(kind)}>
          <summary>More</summary>
          <div class="choose">${this.#fields(kind, true)}</div>
        </details>
        ${repeatable.includes(kind) ? this.#repeat() : nothing}
        ${this.#otherProblems()}
        <div class="actions">${this.#buttons(kind)}</div>
        <p class="quiet">The same on the command line:</p>
        ${copyable(this.#line(kind), "Copy the command")}
        <div role="status" class="outcome">${this.#outcome(kind)}</div>
      </form>`;
  }

  get #kind(): RequestKind {
    const given = query().get("job") ?? "";
    return kinds.find((kind) => kind === given) ?? "reduce";
  }

  get #given(): Given {
    return Object.fromEntries(query());
  }

  /** The area's path, or the host to drain. */
  get #subject(): string {
    const { area = "", host = "" } = this.#given;
    return this.#kind === "drain" ? host : area;
  }

  get #isBusy(): boolean {
    return this.#isAsking || this.#attempt?.isBusy === true;
  }

  get #isRepeated(): boolean {
    const { cron = "", every = "" } = this.#given;
    return repeatable.includes(this.#kind) && `${cron}${every}` !== "";
  }

  #hasMore(kind: RequestKind): boolean {
    return fieldsOf[kind].some(({ name, isMore }) => isMore === true && (this.#given[name] ?? "") !== "");
  }

  /** What was found out is about the form as it was. */
  #type(name: string, value: string): void {
    this.#forget();
    setQuery({ [name]: value }, { typing: true });
  }

  #forget(): void {
    this.#attempt?.abandon();
    this.#attempt = undefined;
    this.#answer = undefined;
    this.#trouble = undefined;
  }

  #areaField(): TemplateResult {
    const suggestions = state.areas?.map(({ area }) => area) ?? [];
    return this.#textField({ name: "area", label: "Area", kind: "text", isRequired: true }, suggestions);
  }

  #hostField(): TemplateResult {
    const suggestions = state.fleet?.hosts.map(({ host }) => host) ?? [];
    return this.#textField({ name: "host", label: "Host", kind: "text", isRequired: true }, suggestions);
  }

  #fields(kind: RequestKind, isMore: boolean): TemplateResult[] {
    return fieldsOf[kind]
      .filter((field) => (field.isMore === true) === isMore && (field.isAdmin !== true || may("admin")))
      .map((field) => this.#field(field));
  }

  #field(field: RequestField): TemplateResult {
    const { name, label, kind, choices = [] } = field;
    const value = this.#given[name] ?? "";
    if (kind === "check")
      return html`<label><input
          type="checkbox"
          name=${name}
          .checked=${value !== ""}
          @change=${(event: Event) => this.#type(name, (event.target as HTMLInputElement).checked ? "yes" : "")}
        />${label}</label>${this.#problemOf(name)}`;
    if (kind === "choice")
      return html`<label>${label}
        <select name=${name} @change=${(event: Event) => this.#type(name, textIn(event))}>
          <option value="" .selected=${value === ""}>${choices[0]} (default)</option>
          ${choices.slice(1).map((each) => html`<option .selected=${each === value}>${each}</option>`)}
        </select>
        ${this.#problemOf(name)}
      </label>`;
    return this.#textField(field);
  }

  #textField(
    { name, label, kind, example, isRequired }: RequestField,
    suggestions: readonly string[] = [],
  ): TemplateResult {
    const problem = this.#problem(name);
    return html`<label>${label}
      <input
        name=${name}
        list=${suggestions.length > 0 ? `known-${name}` : nothing}
        placeholder=${example ?? ""}
        inputmode=${kind === "number" ? "numeric" : nothing}
        autocomplete="off"
        ?required=${isRequired === true}
        aria-invalid=${problem === undefined ? nothing : "true"}
        aria-describedby=${problem === undefined ? nothing : `problem-${name}`}
        .value=${this.#given[name] ?? ""}
        @input=${(event: Event) => this.#type(name, textIn(event))}
      />
      ${
        suggestions.length > 0
          ? html`<datalist id="known-${name}">${suggestions.map((each) => html`<option value=${each}></option>`)}</datalist>`
          : nothing
      }
      ${this.#problemOf(name)}
    </label>`;
  }

  #problemOf(name: string): TemplateResult | typeof nothing {
    const problem = this.#problem(name);
    return problem === undefined
      ? nothing
      : html`<small class="bad path" id="problem-${name}">${shown(problem)}</small>`;
  }

  get #problems(): readonly string[] {
    return this.#attempt?.problems ?? this.#trouble?.problems ?? [];
  }

  /** Returns what the server says about a field. A schedule's job stands in `request`. */
  #problem(name: string): string | undefined {
    for (const problem of this.#problems) {
      const [, member, why] = /^(?:request\.)?(\w+)[^:]*: (.*)$/s.exec(problem) ?? [];
      if (member === name) return why;
    }
    return undefined;
  }

  /** What the server says about no field of the form. */
  #otherProblems(): TemplateResult | typeof nothing {
    const message = this.#attempt?.trouble ?? this.#trouble?.message;
    if (message === undefined) return nothing;
    const fields = ["area", "host", ...fieldsOf[this.#kind].map(({ name }) => name), "cron", "every", "name"];
    const isShown = this.#problems.length > 0 && fields.some((name) => this.#problem(name) !== undefined);
    return isShown ? nothing : html`<p class="bad path" role="alert">${shown(message)}</p>`;
  }

  #repeat(): TemplateResult {
    return html`<details ?open=${this.#isRepeated}>
      <summary>Repeat it</summary>
      <div class="choose">${repeatFields.map((field) => this.#textField(field))}</div>
    </details>`;
  }

  get #repeatGiven(): Given {
    return Object.fromEntries(repeatFields.map(({ name }) => [name, this.#given[name] ?? ""]));
  }

  #line(kind: RequestKind): string {
    const repeat = this.#isRepeated ? { repeat: this.#repeatGiven } : {};
    return commandLine(kind, this.#subject || (kind === "drain" ? "HOST" : "AREA"), {
      given: this.#given,
      dryRun: false,
      ...repeat,
    });
  }

  #buttons(kind: RequestKind): TemplateResult {
    // Not disabled while it works: the focus would be lost.
    const busy = this.#isBusy;
    if (this.#isRepeated) return html`<button type="submit" aria-busy=${busy}>Add the schedule</button>`;
    return html`<button type="submit" aria-busy=${busy}>Try it (dry run)</button> ${this.#earnest(kind)}`;
  }

  /** Offers the real job only after a dry run of the same request. */
  #earnest(kind: RequestKind): TemplateResult | typeof nothing {
    const button = (text: string, act: () => void) =>
      html`<button type="button" class="secondary" @click=${act}>${text}</button>`;
    if (kind === "drain") {
      const isTried = this.#answer !== undefined && "drain" in this.#answer && this.#answer.drain.dryRun;
      return isTried ? button(`Drain ${shown(this.#subject)} now`, () => void this.#drain(false)) : nothing;
    }
    const { dryRun, job, request } = this.#attempt ?? {};
    if (dryRun !== true || job?.state !== "completed" || request === undefined) return nothing;
    const count = job.result?.moved?.runs;
    if (count === 0) return nothing;
    const what = count === undefined ? "" : ` ${runs(count)}`;
    const { todo } = verbOf(kind);
    const verb = kind === "migrate" ? "migrate" : todo;
    return button(`${verb.charAt(0).toUpperCase()}${verb.slice(1)}${what} now`, () => this.#start(false));
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    if (this.#isBusy) return;
    this.#forget();
    if (this.#isRepeated) void this.#addSchedule();
    else if (this.#kind === "drain") void this.#drain(true);
    else this.#start(true);
  }

  get #request(): Record<string, unknown> {
    const kind = this.#kind;
    return { job: kind, area: this.#subject, ...membersOf(kind, this.#given) };
  }

  #start(dryRun: boolean): void {
    this.#attempt?.abandon();
    this.#attempt = new Attempt(this.#request, dryRun);
    void this.#attempt.run();
    changed();
  }

  #addSchedule(): Promise<void> {
    const { tz = "" } = this.#given;
    const given = Object.entries({ ...this.#repeatGiven, tz }).filter(([, value]) => value !== "");
    const times = Object.fromEntries(given);
    return this.#ask(async () => ({
      schedule: await ask<Schedule>("schedules", { ...times, request: this.#request }),
    }));
  }

  #drain(dryRun: boolean): Promise<void> {
    const body = { ...membersOf("drain", this.#given), dryRun };
    const path = `hosts/${encodeURIComponent(this.#subject)}/drain`;
    return this.#ask(async () => ({ drain: await ask<DrainResult>(path, body, "PUT") }));
  }

  async #ask(act: () => Promise<Answer>): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    changed();
    try {
      this.#answer = await act();
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = error instanceof Refusal ? error : new Refusal((error as Error).message, 0);
    }
    this.#isAsking = false;
    changed();
  }

  #outcome(kind: RequestKind): TemplateResult | typeof nothing {
    if (this.#answer !== undefined)
      return "schedule" in this.#answer ? added(this.#answer.schedule) : drained(this.#answer.drain);
    const { job, dryRun = false, trouble } = this.#attempt ?? {};
    if (this.#attempt === undefined || trouble !== undefined) return nothing;
    if (job === undefined) return html`<p>requesting</p>`;
    if (job.error !== undefined) {
      const { message, hint } = job.error;
      return html`<p class="bad path">
        ${job.state}: ${shown(message)}${hint === undefined ? "" : `: ${shown(hint)}`}. ${jobLink(job.jobId, job.host, "Show the job")}
      </p>`;
    }
    if (job.state === "active") return progressOf(job);
    if (job.state !== "completed" || job.result === undefined)
      return html`<p>${jobLink(job.jobId, job.host)} is ${job.state} at ${hostLink(job.host)}.</p>`;
    return html`<p class=${dryRun ? "" : "good"}>
        ${doneText(kind, dryRun, job.result)} ${jobLink(job.jobId, job.host, "Show the job")}
      </p>
      ${runList(job.result)}
      ${(job.result.warnings ?? []).map((warning) => html`<p class="path">${shown(warning)}</p>`)}`;
  }
}

type Result = NonNullable<Attempt["job"]>["result"];

function doneText(kind: RequestKind, dryRun: boolean, result: NonNullable<Result>): string {
  // A migration's result has other members.
  if (result.moved === undefined) return dryRun ? "It could move now." : "Done.";
  const { did } = verbOf(kind);
  const stay = Object.entries(result.skippedCounts).map(([reason, count]) => `${number(count)} ${reason}`);
  const rest = stay.length === 0 ? "" : `; not ${did}: ${stay.join(", ")}`;
  return `${runs(result.moved.runs ?? 0)} ${dryRun ? `would be ${did}` : did}${rest}.`;
}

function runList(result: NonNullable<Result>): TemplateResult | typeof nothing {
  const all = result.runs ?? [];
  if (all.length === 0) return nothing;
  const rest = (result.moved.runs ?? 0) - Math.min(all.length, listed);
  return html`<details>
    <summary>The runs</summary>
    <ul class="path">
      ${all.slice(0, listed).map(({ id, target, runname }) => html`<li>${shown(`${target}/${runname}`)} <span class="quiet">run ${id}</span></li>`)}
    </ul>
    ${rest > 0 ? html`<p class="quiet">and ${number(rest)} more</p>` : nothing}
  </details>`;
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
