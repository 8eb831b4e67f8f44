import { html } from "lit-html";
import type { PageView } from "../data/router.ts";
import { state } from "../data/state.ts";
import { areasTable } from "../widgets/areas-table.ts";
import { failingList } from "../widgets/automatic.ts";
import { hostCards } from "../widgets/host-card.ts";

/** Hosts, what is wrong, and all areas. */
export const overviewPage = (): PageView => ({
  title: () => "Overview",
  view: () => html`<h1>Megatest areas</h1>
    <h2>Hosts</h2>
    ${hostCards()}
    ${failingList(state.fleet?.automatic ?? [])}
    <section id="areas" aria-labelledby="areas-title">
      <h2 id="areas-title">Areas</h2>
      ${areasTable()}
    </section>`,
});
