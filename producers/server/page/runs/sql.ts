import { html, nothing, type TemplateResult } from "lit-html";
import type { QueryAnswer } from "../../../contract/runs.ts";
import { ask, send } from "../data/api.ts";
import { number, shown } from "../data/format.ts";
import { type PageView, query, setQuery } from "../data/router.ts";
import { shellCommand } from "../data/shell-command.ts";
import { changed, may, state } from "../data/state.ts";
import { nameOf } from "../widgets/area-row.ts";
import { choice, textIn } from "../widgets/fields.ts";
import { areaAddress, areaLink, sqlLink } from "../widgets/links.ts";
import { type AreaFinder, unknownArea } from "./area-of-address.ts";
import { sqlSummary, sqlTable } from "./sql-answer.ts";

/** Characters of SQL in an address; the server takes 8 KiB, in which a character may have nine bytes. */
const longestInAddress = 6000;

const examples: readonly (readonly [name: string, sql: string])[] = [
  [
    "Tests by status",
    "SELECT state, status, count(*) AS tests FROM tests GROUP BY state, status ORDER BY tests DESC",
  ],
  [
    "Failed tests of the last 7 days",
    `SELECT r.runname, t.testname, t.item_path, t.comment, t.rundir
FROM runs r JOIN tests t ON t.run_id = r.id
WHERE t.status = 'FAIL' AND r.event_time > unixepoch() - 7 * 86400
ORDER BY r.event_time DESC LIMIT 100`,
  ],
  [
    "Tables and columns",
    "SELECT m.name AS table_name, c.name AS column_name, c.type\nFROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'",
  ],
];

interface Request {
  sql: string;
  timeout: string;
  rows: number;
  fullDb: boolean;
}

/** A read-only query over both databases of an area. */
export class SqlPage implements PageView {
  readonly #find: AreaFinder;
  #draft = query().get("sql") ?? "";
  /** What the address said last. */
  #given = this.#draft;
  #running: AbortController | undefined;
  #answer: { document: QueryAnswer; request: Request } | undefined;
  #trouble: string | undefined;
  #note = "";

  constructor(find: AreaFinder) {
    this.#find = find;
  }

  title(): string {
    const found = this.#find();
    return found === undefined ? "SQL" : `SQL over ${shown(nameOf(found))}`;
  }

  /** A query that is left would hold its locks to its end. */
  close(): void {
    this.#running?.abort();
  }

  view(): TemplateResult {
    const found = this.#find();
    if (found === undefined) return unknownArea("SQL");
    const { area } = found;
    this.#followAddress();
    return html`<h1 class="path">SQL over ${areaLink(area, nameOf(found))}</h1>
      <p>
        One read-only query over megatest.db and completed-runs.db as one database. While it runs, Megatest's writers may have
        to wait. <a href=${areaAddress(area, "/runs")}>Runs of this area</a>
      </p>
      ${may("operate") ? this.#form(area) : this.#refusal()} ${this.#result()}`;
  }

  /** Back and forward show the query of that time; it is not run again without being asked. */
  #followAddress(): void {
    const given = query().get("sql") ?? "";
    if (given === this.#given) return;
    this.#given = given;
    this.#draft = given;
  }

  #refusal(): TemplateResult | typeof nothing {
    if (state.me === undefined) return nothing;
    return html`<p class="quiet">Your token may only read; a query needs the role operate.</p>
      ${this.#draft === "" ? nothing : html`<pre class="text" tabindex="0" aria-label="SQL">${shown(this.#draft)}</pre>`}`;
  }

  #form(area: string): TemplateResult {
    // Not aria-busy: such a button cannot be pressed, and this one stops the query.
    const isBusy = this.#running !== undefined;
    return html`<form aria-label="Query" @submit=${(event: SubmitEvent) => this.#submit(event, area)}>
        <label>
          SQL
          <textarea
            name="sql"
            rows="6"
            spellcheck="false"
            maxlength="20000"
            aria-invalid=${this.#trouble === undefined ? nothing : "true"}
            aria-describedby="sql-trouble"
            .value=${this.#draft}
            @input=${(event: Event) => this.#type(event)}
            @keydown=${(event: KeyboardEvent) => this.#key(event, area)}
          ></textarea>
        </label>
        <p id="sql-trouble" class="bad path" role="alert">${shown(this.#trouble ?? "")}</p>
        ${this.#options()}
        <div class="actions">
          <button type="submit" title="Ctrl+Enter">${isBusy ? "Stop" : "Run"}</button>
          <button type="button" class="outline" @click=${() => this.#run(area, "csv")}>Download as CSV</button>
        </div>
        <p role="status" class="quiet">${isBusy ? "Running…" : this.#note}</p>
      </form>
      ${this.#help(area)}`;
  }

  #options(): TemplateResult {
    const { timeout, rows, fullDb } = this.#request();
    const choose = (name: string, usual: string) => (value: string) =>
      setQuery({ [name]: value === usual ? "" : value });
    const seconds = ["5", "10", "30"].map((count) => [`${count}s`, `at most ${count} s`] as const);
    const counts = [100, 1000, 10_000].map((count) => [String(count), `${number(count)} rows`] as const);
    const both = [
      ["", "both databases"],
      ["megatest", "megatest.db alone"],
    ] as const;
    return html`<div class="filters">
      ${choice("Databases", fullDb ? "" : "megatest", both, choose("db", ""))}
      ${choice("Time limit", timeout, seconds, choose("timeout", "10s"))}
      ${choice("Row limit", String(rows), counts, choose("rows", "1000"))}
    </div>`;
  }

  #help(area: string): TemplateResult {
    const links = examples.map(
      ([name, sql], index) => html`${index === 0 ? "" : ", "}${sqlLink(area, sql, name)}`,
    );
    const options = this.#request().fullDb ? ["--full-db"] : [];
    const command = shellCommand("mtjobs", "query", area, ...options, this.#draft.trim() || "SELECT …");
    return html`<p class="quiet">Examples: ${links}</p>
      <details>
        <summary>On the command line</summary>
        <code class="path command">${command}</code>
      </details>`;
  }

  #result(): TemplateResult | typeof nothing {
    if (this.#answer === undefined) return nothing;
    const { document: answer, request } = this.#answer;
    return html`<h2>Result</h2>
      <p role="status">${sqlSummary(answer, request.fullDb)}</p>
      ${request.sql === this.#draft ? nothing : html`<p class="quiet path">of an earlier query: <code>${shown(request.sql)}</code></p>`}
      ${sqlTable(answer)}`;
  }

  #type(event: Event): void {
    this.#draft = textIn(event);
    this.#trouble = undefined;
    changed();
  }

  #key(event: KeyboardEvent, area: string): void {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || this.#running !== undefined) return;
    event.preventDefault();
    void this.#run(area, "json");
  }

  #submit(event: SubmitEvent, area: string): void {
    event.preventDefault();
    if (this.#running === undefined) void this.#run(area, "json");
    else this.#running.abort();
  }

  #request(): Request {
    const rows = Number.parseInt(query().get("rows") ?? "", 10);
    return {
      sql: this.#draft,
      timeout: query().get("timeout") ?? "10s",
      rows: rows > 0 ? rows : 1000,
      fullDb: query().get("db") !== "megatest",
    };
  }

  async #run(area: string, format: "json" | "csv"): Promise<void> {
    if (this.#running !== undefined || this.#draft.trim() === "") return;
    const running = new AbortController();
    this.#running = running;
    [this.#trouble, this.#note] = [undefined, ""];
    this.#writeAddress();
    const request = this.#request();
    const path = `areas/by-path/query?${new URLSearchParams({ path: area })}`;
    try {
      if (format === "csv") this.#note = await download(path, { ...request, format }, running.signal);
      else
        this.#answer = { document: await ask(path, { ...request, format }, "POST", running.signal), request };
    } catch (error) {
      this.#trouble = running.signal.aborted ? "stopped" : (error as Error).message;
    }
    this.#running = undefined;
    changed();
  }

  #writeAddress(): void {
    const fits = encodeURIComponent(this.#draft).length <= longestInAddress;
    this.#given = fits ? this.#draft : "";
    setQuery({ sql: this.#given });
    if (!fits) this.#note = "This SQL is too long for the address: a link to this page will not have it.";
  }
}

/** Saves the rows as a file; returns what it lacks. */
async function download(path: string, body: object, signal: AbortSignal): Promise<string> {
  const response = await send(path, body, "POST", signal);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = "query.csv";
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  const isTruncated = response.headers.get("mtjobs-truncated") === "true";
  const cut = Number(response.headers.get("mtjobs-cut-values"));
  return [
    "The file was downloaded",
    ...(isTruncated ? ["it has not all rows: raise the row limit, or use mtjobs query"] : []),
    ...(cut > 0 ? [`${cut} long values are cut in it`] : []),
  ].join("; ");
}
