import { html, nothing, type TemplateResult } from "lit-html";
import type { BrowsedRun, RunDetail } from "../../../contract/runs.ts";
import { number, shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import { type PageView, query } from "../data/router.ts";
import { changed, may } from "../data/state.ts";
import { nameOf } from "../widgets/area-row.ts";
import { areaAddress, areaLink, begunAt, sqlLink } from "../widgets/links.ts";
import { type AreaFinder, jobsMark, unknownArea } from "./area-of-address.ts";
import { MoveRuns } from "./move-runs.ts";
import { testsSql } from "./run-list.ts";
import { runState } from "./state-text.ts";
import { TestList } from "./test-list.ts";

/** One run: where it lives, and its tests. */
export class RunPage implements PageView {
  readonly #find: AreaFinder;
  readonly #id: string;
  readonly #run = new Resource<RunDetail>({ freshFor: 60_000, followsJobs: false });
  #tests: TestList | undefined;
  #form: MoveRuns | undefined;
  #jobs: string | undefined;
  #isScrolled = !query().has("test");

  constructor(find: AreaFinder, id: string) {
    this.#find = find;
    this.#id = id;
  }

  title(): string {
    const run = this.#run.value?.run;
    return run === undefined ? `Run ${shown(this.#id)}` : shown(`${run.target}/${run.runname}`).slice(0, 200);
  }

  /** Once: a link to a test leads to it. */
  drawn(): void {
    const opened = this.#isScrolled ? null : document.querySelector("tr.opened");
    if (opened === null || opened.querySelector("[aria-busy=true]") !== null) return;
    this.#isScrolled = true;
    opened.previousElementSibling?.scrollIntoView({ block: "start" });
  }

  view(): TemplateResult {
    const found = this.#find();
    if (found === undefined) return unknownArea("Run");
    const { area } = found;
    this.#followJobs(area);
    const request = `areas/by-path/runs/${encodeURIComponent(this.#id)}`;
    const { value, trouble } = this.#run.want(`${request}?${new URLSearchParams({ path: area })}`);
    const problem =
      trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`;
    const path = html`<p class="path">${areaLink(area, nameOf(found))} / <a href=${areaAddress(area, "/runs")}>Runs</a></p>`;
    if (value === undefined)
      return html`<h1 class="path">Run ${shown(this.#id)}</h1>
        ${path} ${problem} ${trouble === undefined ? html`<p aria-busy="true">Loading…</p>` : nothing}`;
    const { run, tests } = value;
    this.#tests ??= new TestList(area, run.id);
    return html`<h1 class="path">${shown(run.runname || "(no name)")}</h1>
      ${path} ${problem} ${facts(value)} ${this.#actions(area, run)}
      <h2>${number(tests.total)} ${tests.total === 1 ? "test" : "tests"}</h2>
      ${this.#tests.view(tests.groups)}`;
  }

  /** A job of the area may have moved the run. */
  #followJobs(area: string): void {
    const jobs = jobsMark(area);
    if (this.#jobs !== undefined && this.#jobs !== jobs) this.#run.outdate();
    this.#jobs = jobs;
  }

  #actions(area: string, run: BrowsedRun): TemplateResult | typeof nothing {
    if (!may("operate")) return nothing;
    this.#form ??= new MoveRuns(area, () => {
      this.#run.outdate();
      changed();
    });
    return html`<section aria-label="Move this run">${this.#form.view([run])}</section>
      <p>${sqlLink(area, testsSql(run.id), "Query its tests with SQL")}</p>`;
  }
}

function facts({ run, source }: RunDetail): TemplateResult {
  const fact = (name: string, value: TemplateResult | string) =>
    html`<dt>${shown(name)}</dt>
      <dd>${value}</dd>`;
  const text = (name: string, value: string | null) =>
    value === null || value === "" ? nothing : fact(name, shown(value));
  const lives =
    run.where === "megatest.db" && source === "cache" ? "megatest.db, read from its cache" : run.where;
  return html`<dl class="facts">
    ${fact("lives in", lives)} ${fact("id there", String(run.id))} ${fact("state", runState(run.state, run.status))}
    ${Object.entries(run.keys).map(([key, value]) => fact(key, shown(value)))} ${text("contour", run.contour)}
    ${fact("began", begunAt(run.begunAt))} ${fact("last update", begunAt(run.lastUpdateAt))} ${text("owner", run.owner)}
    ${text("comment", run.comment)}
    ${run.cut === undefined ? nothing : fact("cut, because it is long", run.cut.join(", "))}
  </dl>`;
}
