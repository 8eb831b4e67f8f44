import { html, nothing, type TemplateResult } from "lit-html";
import type { RunId } from "../../../../shared/sqlite/run-id.ts";
import { runs, shown } from "../data/format.ts";
import { hasSelector, noSelector } from "../data/request-fields.ts";
import { changed } from "../data/state.ts";
import { Attempt } from "./attempt.ts";
import { outcomeOf, startForReal } from "./attempt-outcome.ts";

/** Runs that a form is about, instead of those that a user describes. */
interface ChosenRuns {
  job: "reduce" | "restore";
  runId: readonly RunId[];
}

/** Starts a reduce or a restore of one area: first as a dry run, then the same job for real. */
export class JobForm {
  readonly #area: string;
  readonly #chosen: ChosenRuns | undefined;
  readonly #ended: () => void;
  #attempt: Attempt | undefined;
  #lacksSelector = false;

  /** @param ended called when a job has completed that was no dry run; of chosen runs the form then shows only the outcome */
  constructor(area: string, { chosen, ended = () => {} }: { chosen?: ChosenRuns; ended?: () => void } = {}) {
    this.#area = area;
    this.#chosen = chosen;
    this.#ended = ended;
  }

  view(): TemplateResult {
    return this.#chosen === undefined ? this.#ownView() : this.#chosenView(this.#chosen);
  }

  #chosenView({ job, runId }: ChosenRuns): TemplateResult {
    const what = `${job} ${runs(runId.length)}`;
    const { dryRun, job: done } = this.#attempt ?? {};
    const isDone = dryRun === false && done?.state === "completed";
    return html`<form aria-label=${`${job} the chosen runs`} @submit=${(event: SubmitEvent) => this.#submit(event)}>
      ${
        isDone
          ? nothing
          : html`<div class="actions">
              <button type="submit" class="outline" aria-busy=${this.#isTrying}>Try to ${what} (dry run)</button>
              ${this.#earnest()}
            </div>`
      }
      <div role="status" class="outcome">${this.#outcome()}</div>
    </form>`;
  }

  #ownView(): TemplateResult {
    const input = (name: string, label: string, example: string) =>
      html`<label>${label}<input name=${name} placeholder=${example} autocomplete="off" /></label>`;
    return html`<form
      aria-label="Start a job"
      @input=${() => this.#forget()}
      @submit=${(event: SubmitEvent) => this.#submit(event)}
    >
      <div class="choose">
        <label>Job<select name="job"><option>reduce</option><option>restore</option></select></label>
        ${input("target", "Target", "ubuntu/nfs/%")} ${input("runname", "Run name", "%")}
        ${input("age", "Older than", "30d")} ${input("keep", "Keep the newest of each target", "5")}
      </div>
      <div class="actions">
        <button type="submit" class="outline" aria-busy=${this.#isTrying}>Try it (dry run)</button>
        ${this.#earnest()}
        <a href="request?${new URLSearchParams({ area: this.#area })}">All options</a>
      </div>
      <div role="status" class="outcome">${this.#outcome()}</div>
    </form>`;
  }

  get #isBusy(): boolean {
    return this.#attempt?.isBusy === true;
  }

  get #isTrying(): boolean {
    return this.#isBusy && this.#attempt?.dryRun === true;
  }

  /** For the same input only: what is typed ends the attempt. */
  #earnest(): TemplateResult | typeof nothing {
    const attempt = this.#attempt;
    return startForReal(attempt, () => attempt && this.#start(attempt.request, false));
  }

  #outcome(): TemplateResult | typeof nothing {
    const trouble = this.#attempt?.trouble ?? (this.#lacksSelector ? noSelector : undefined);
    return trouble === undefined ? outcomeOf(this.#attempt) : html`<p class="bad path">${shown(trouble)}</p>`;
  }

  /** The form's input has changed since the attempt. */
  #forget(): void {
    this.#attempt?.abandon();
    this.#attempt = undefined;
    this.#lacksSelector = false;
    changed();
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    if (this.#isBusy) return;
    const given = [...new FormData(event.target as HTMLFormElement)].filter(([, value]) => value !== "");
    const { keep, ...rest } = Object.fromEntries(given);
    this.#lacksSelector = this.#chosen === undefined && !hasSelector(Object.fromEntries(given));
    if (this.#lacksSelector) {
      changed();
      return;
    }
    const request: Record<string, unknown> = this.#chosen
      ? { ...this.#chosen, area: this.#area }
      : { ...rest, area: this.#area, keep: keep === undefined ? undefined : Number(keep) };
    this.#start(request, true);
  }

  #start(request: Record<string, unknown>, dryRun: boolean): void {
    this.#attempt?.abandon();
    this.#attempt = new Attempt(request, dryRun);
    void this.#follow(this.#attempt);
    changed();
  }

  async #follow(attempt: Attempt): Promise<void> {
    await attempt.run();
    if (!attempt.dryRun && attempt.job?.state === "completed") this.#ended();
  }
}
