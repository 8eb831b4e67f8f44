import { html, type TemplateResult } from "lit-html";
import type { Totals } from "../../../contract/totals.ts";
import { shown } from "../data/format.ts";
import { Resource } from "../data/resource.ts";
import type { PageView } from "../data/router.ts";
import { state } from "../data/state.ts";
import { areasTable } from "../widgets/areas-table.ts";
import { failingList } from "../widgets/automatic.ts";
import { hostCards } from "../widgets/host-card.ts";
import { figures, jobHours, troubles } from "../widgets/totals.ts";

/** The farm in a few numbers, what is wrong, hosts and jobs, and all areas. */
export class OverviewPage implements PageView {
  /** The server reads them every 10 s. */
  readonly #totals = new Resource<Totals>({ freshFor: 15_000, followsJobs: false });

  title(): string {
    return "Overview";
  }

  view(): TemplateResult {
    const { value, trouble } = this.#totals.want("totals");
    return html`<h1>Megatest areas</h1>
      ${trouble === undefined ? "" : html`<p class="bad path" role="alert">${shown(trouble)}</p>`} ${figures(value)}
      <div class="halves">
        <section>
          <h2>What is wrong</h2>
          ${troubles(value)}
        </section>
        <section>
          <h2>Jobs per hour, last 24 hours</h2>
          ${jobHours(value)}
        </section>
      </div>
      ${failingList(state.fleet?.automatic ?? [])}
      <h2>Hosts</h2>
      ${hostCards()}
      <section id="areas" aria-labelledby="areas-title">
        <h2 id="areas-title">Areas</h2>
        ${areasTable()}
      </section>`;
  }
}
