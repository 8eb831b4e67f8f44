import { html, nothing, type TemplateResult } from "lit-html";
import type { DrainResult, Schedule } from "../../../contract/schedule.ts";
import { ask, Refusal } from "../data/api.ts";
import { shown } from "../data/format.ts";
import {
  commandLine,
  fieldsOf,
  type Given,
  hasSelector,
  membersOf,
  noSelector,
  type RequestField,
  type RequestKind,
} from "../data/request-fields.ts";
import { type PageView, query, setQuery } from "../data/router.ts";
import { changed, may, state } from "../data/state.ts";
import { Attempt } from "../widgets/attempt.ts";
import { outcomeOf, startForReal } from "../widgets/attempt-outcome.ts";
import { copyable } from "../widgets/copyable.ts";
import { requestInput, textIn } from "../widgets/fields.ts";
import { type Answer, AnswerView } from "./request-answer.ts";

const kinds = Object.keys(fieldsOf) as RequestKind[];

/** Jobs that can be repeated. */
const repeatable: readonly RequestKind[] = ["reduce", "migrate"];

/** Jobs of which somebody must say which runs they are about. */
const selects: readonly RequestKind[] = ["reduce", "restore", "purge"];

const repeatFields: readonly RequestField[] = [
  { name: "cron", label: "Repeat at (cron pattern)", kind: "text", example: "0 2 * * *" },
  { name: "every", label: "Or repeat every", kind: "text", example: "12h" },
  { name: "name", label: "Name of the schedule", kind: "text", example: "nightly" },
];

const about: Record<RequestKind, string> = {
  reduce:
    "Move finished runs from megatest.db to completed-runs.db, where Megatest's queries with -full-db find them. The area as a whole keeps its size.",
  restore: "Move runs back from completed-runs.db.",
  purge:
    "Remove moved runs from completed-runs.db for good, after each was exported and the export compared. It frees the space that they take.",
  import: "Put an exported run back into completed-runs.db.",
  migrate: "Make another host the homehost of the area.",
  drain: "Migrate every area away from a host, and give it no new one.",
};

/** Requests a job of any kind: first as a dry run, then for real. What is typed stands in the address. */
export class RequestPage implements PageView {
  #attempt: Attempt | undefined;
  #answer: Answer | undefined;
  readonly #answerView = new AnswerView();
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
        <div role="status" class="outcome">${this.#outcome()}</div>
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
    return this.#field({ name: "area", label: "Area", kind: "text", isRequired: true }, suggestions);
  }

  #hostField(): TemplateResult {
    const suggestions = state.fleet?.hosts.map(({ host }) => host) ?? [];
    return this.#field({ name: "host", label: "Host", kind: "text", isRequired: true }, suggestions);
  }

  #fields(kind: RequestKind, isMore: boolean): TemplateResult[] {
    return fieldsOf[kind]
      .filter((field) => (field.isMore === true) === isMore && (field.isAdmin !== true || may("admin")))
      .map((field) => this.#field(field));
  }

  #field(field: RequestField, suggestions: readonly string[] = []): TemplateResult {
    const { name } = field;
    return requestInput(field, {
      value: this.#given[name] ?? "",
      problem: this.#problem(name),
      suggestions,
      type: (value) => this.#type(name, value),
    });
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
      <div class="choose">${repeatFields.map((field) => this.#field(field))}</div>
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
    return html`<button type="submit" class="outline" aria-busy=${busy && this.#attempt?.dryRun !== false}>Try it (dry run)</button> ${this.#earnest(kind)}`;
  }

  /** Offers the real job only after a dry run of the same request. */
  #earnest(kind: RequestKind): TemplateResult | typeof nothing {
    if (kind !== "drain") return startForReal(this.#attempt, () => this.#start(false));
    const isTried = this.#answer !== undefined && "drain" in this.#answer && this.#answer.drain.dryRun;
    if (!isTried) return nothing;
    return html`<button type="button" @click=${() => void this.#drain(false)}>
      Drain ${shown(this.#subject)} ${this.#given.whenQuiet ? "as its areas get quiet" : "now"}
    </button>`;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    if (this.#isBusy) return;
    this.#forget();
    this.#trouble = this.#ownProblem();
    if (this.#trouble !== undefined) {
      changed();
      return;
    }
    if (this.#isRepeated) void this.#addSchedule();
    else if (this.#kind === "drain") void this.#drain(true);
    else this.#start(true);
  }

  /** What can be told without the server, in the words of the form. */
  #ownProblem(): Refusal | undefined {
    const { deadline = "", whenQuiet = "" } = this.#given;
    if (selects.includes(this.#kind) && !hasSelector(this.#given)) return new Refusal(noSelector, 0);
    const waits = fieldsOf[this.#kind].some(({ name }) => name === "whenQuiet");
    if (!waits || deadline === "" || whenQuiet !== "") return undefined;
    const problem = 'deadline: only with "Wait until the area is quiet": tick that, or empty this field';
    return new Refusal(problem, 0, [problem]);
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

  #outcome(): TemplateResult | typeof nothing {
    return this.#answer === undefined ? outcomeOf(this.#attempt) : this.#answerView.view(this.#answer);
  }
}
