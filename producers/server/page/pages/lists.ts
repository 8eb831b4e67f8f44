import { html, type TemplateResult } from "lit-html";
import type { PageView } from "../data/router.ts";
import { areasTable } from "../widgets/areas-table.ts";
import { hostCards } from "../widgets/host-card.ts";

const listPage = (title: string, list: () => TemplateResult) => (): PageView => ({
  title: () => title,
  view: () => html`<h1>${title}</h1>
    ${list()}`,
});

export const areasPage = listPage(
  "Areas",
  () => html`<section id="areas" aria-label="Areas">${areasTable()}</section>`,
);

export const hostsPage = listPage("Hosts", hostCards);

/** For an address that no page has. */
export const missingPage = (): PageView => ({
  title: () => "No such page",
  view: () => html`<h1>No such page</h1>
    <p>This address leads nowhere. <a href="./">Overview</a></p>`,
});
