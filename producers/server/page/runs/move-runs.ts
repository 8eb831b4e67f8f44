import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { BrowsedRun } from "../../../contract/runs.ts";
import { shellCommand } from "../data/shell-command.ts";
import { may } from "../data/state.ts";
import { JobForm } from "../widgets/job-form.ts";

type Kind = "reduce" | "restore";

/** Runs of one database, and what moves them to the other. */
interface Group {
  kind: Kind;
  runs: readonly BrowsedRun[];
  key: string;
}

function groupsOf(runs: readonly BrowsedRun[]): Group[] {
  const group = (kind: Kind, where: BrowsedRun["where"]): Group => {
    const chosen = runs.filter((run) => run.where === where);
    return { kind, runs: chosen, key: [kind, ...chosen.map(({ id }) => id)].join(" ") };
  };
  return [group("reduce", "megatest.db"), group("restore", "completed-runs.db")].filter(
    (each) => each.runs.length > 0,
  );
}

/** Moves chosen runs: those of megatest.db by a reduce, those of completed-runs.db by a restore. */
export class MoveRuns {
  readonly #area: string;
  readonly #moved: (runs: readonly BrowsedRun[]) => void;
  #forms = new Map<string, JobForm>();
  /** What has moved runs; its outcome stays in sight. */
  #done: JobForm | undefined;

  /** @param moved called when a job has ended that was no dry run */
  constructor(area: string, moved: (runs: readonly BrowsedRun[]) => void) {
    this.#area = area;
    this.#moved = moved;
  }

  get hasOutcome(): boolean {
    return this.#done !== undefined;
  }

  forget(): void {
    this.#done = undefined;
  }

  view(runs: readonly BrowsedRun[]): TemplateResult | typeof nothing {
    if (!may("operate")) return nothing;
    const groups = groupsOf(runs);
    this.#forms = new Map(groups.map((group) => [group.key, this.#formOf(group)]));
    return html`${repeat(
      groups,
      ({ key }) => key,
      (group) => html`${this.#forms.get(group.key)?.view()}
          <p class="quiet">On the command line: <code class="path command">${commandOf(this.#area, group)}</code></p>`,
    )}
    ${this.#done === undefined ? nothing : this.#done.view()}`;
  }

  #formOf({ key, kind, runs }: Group): JobForm {
    const known = this.#forms.get(key);
    if (known !== undefined) return known;
    const form: JobForm = new JobForm(this.#area, {
      chosen: { job: kind, runId: runs.map(({ id }) => id) },
      ended: () => {
        this.#done = form;
        this.#forms.delete(key);
        this.#moved(runs);
      },
    });
    return form;
  }
}

function commandOf(area: string, { kind, runs }: Group): string {
  const ids = runs.map(({ id }) => id).join(",");
  const option = ids.startsWith("-") ? [`--run-id=${ids}`] : ["--run-id", ids];
  return shellCommand("mtjobs", kind, area, ...option);
}
