import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { RunId } from "../../../../shared/sqlite/run-id.ts";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { BrowsedTest, RunDetail, TestsPage } from "../../../contract/runs.ts";
import { number, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { query, setQuery } from "../data/router.ts";
import { patternFilter } from "../widgets/fields.ts";
import { begun } from "../widgets/links.ts";
import { runState } from "./state-text.ts";
import { TestDetails } from "./test-details.ts";

type Groups = RunDetail["tests"]["groups"];

const columns = ["Test", "State", "Began", "Took", "Host", "Comment"];
const filterNames = ["testname", "state", "status", "cursor"];

/** A pattern's signs would mean other texts, too, and the server refuses long ones. */
const isPlain = (text: string | null) => text !== null && text.length < 100 && !/[%*?[\],\p{Cc}]/u.test(text);

const testName = ({ testname, itemPath }: Pick<BrowsedTest, "testname" | "itemPath">) =>
  `${testname ?? "(no name)"}${itemPath ? `(${itemPath})` : ""}`;

/** The tests of a run, filtered by what the address says, one of them opened. */
export class TestList {
  readonly #area: string;
  readonly #runId: RunId;
  readonly #tests = new Resource<TestsPage>({ freshFor: 60_000, followsJobs: false });
  #opened: { id: string; details: TestDetails } | undefined;

  constructor(area: string, runId: RunId) {
    this.#area = area;
    this.#runId = runId;
  }

  view(groups: Groups): TemplateResult {
    const given = filterNames.map((name) => [name, query().get(name) ?? ""] as const);
    const request = new URLSearchParams(
      [["path", this.#area], ...given.filter(([, value]) => value !== "")].map(([name = "", value = ""]) => [
        name,
        value,
      ]),
    );
    const { value, trouble, isOutOfDate } = this.#tests.want(
      `areas/by-path/runs/${this.#runId}/tests?${request}`,
    );
    return html`${groupButtons(groups)} ${filters()}
      ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
      <div class="wide" aria-busy=${isOutOfDate}>
        <table class="cards tests" aria-label="Tests">
          <thead>
            <tr>
              ${columns.map((title) => html`<th scope="col">${title}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${repeat(
              value?.tests ?? [],
              ({ id }) => id,
              (test) => this.#row(test),
            )}
          </tbody>
        </table>
      </div>
      ${value?.tests.length === 0 ? html`<p class="quiet">No test matches.</p>` : nothing}
      ${this.#pages(value?.next ?? null)}`;
  }

  #pages(next: string | null): TemplateResult {
    return html`<nav class="pages" aria-label="Pages of tests">
      <button class="small outline" ?disabled=${!query().has("cursor")} @click=${() => setQuery({ cursor: "", test: "" })}>First</button>
      <button class="small outline" ?disabled=${next === null} @click=${() => setQuery({ cursor: next ?? "", test: "" })}>Next</button>
    </nav>`;
  }

  #row(test: BrowsedTest): TemplateResult {
    const { id, state, status, begunAt, durationSeconds, host, comment, rundir } = test;
    const isOpen = query().get("test") === String(id);
    return html`<tr data-test=${id}>
        <th scope="row">
          <button
            type="button"
            class=${isOpen ? "small outline path" : "small outline name path"}
            aria-expanded=${isOpen}
            @click=${() => setQuery({ test: isOpen ? "" : String(id) })}
          >${shown(testName(test))}</button>
          ${rundir === null ? nothing : html`<div class="quiet name path">${shown(rundir)}</div>`}
        </th>
        <td data-label="state">${runState(state, status)}</td>
        <td data-label="began">${begun(begunAt)}</td>
        <td data-label="took">${durationSeconds === null || durationSeconds < 0 ? "–" : elapsedText(durationSeconds * 1000)}</td>
        <td data-label="host" class="path">${shown(host ?? "")}</td>
        <td data-label="comment"><div class="name path">${shown(comment ?? "")}</div></td>
      </tr>
      ${isOpen ? html`<tr class="opened"><td colspan=${columns.length}>${this.#detailsOf(String(id)).view()}</td></tr>` : nothing}`;
  }

  #detailsOf(id: string): TestDetails {
    if (this.#opened?.id !== id) this.#opened = { id, details: new TestDetails(this.#area, this.#runId, id) };
    return this.#opened.details;
  }
}

/** How many tests are in each state; each is a filter. */
function groupButtons(groups: Groups): TemplateResult {
  const isChosen = (state: string | null, status: string | null) =>
    query().get("state") === state && query().get("status") === status;
  return html`<ul class="groups" aria-label="Tests by state and status">
    ${groups.map(({ state, status, tests }) => {
      const text = html`${runState(state, status)} ${number(tests)}`;
      if (!isPlain(state) || !isPlain(status)) return html`<li>${text}</li>`;
      const chosen = isChosen(state, status);
      const choose = () =>
        setQuery({
          state: chosen ? "" : (state ?? ""),
          status: chosen ? "" : (status ?? ""),
          cursor: "",
          test: "",
        });
      return html`<li><button type="button" class="small outline" aria-pressed=${chosen} @click=${choose}>${text}</button></li>`;
    })}
  </ul>`;
}

function filters(): TemplateResult {
  const field = (name: string, label: string, example: string) =>
    patternFilter(label, example, query().get(name) ?? "", (value) =>
      setQuery({ [name]: value, cursor: "", test: "" }, { typing: true }),
    );
  return html`<section class="choose" aria-label="Filters of tests">
    ${field("testname", "Test", "mul%")} ${field("state", "State", "COMPLETED")} ${field("status", "Status", "FAIL")}
  </section>`;
}
