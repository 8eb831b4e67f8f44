import { html, nothing, type TemplateResult } from "lit-html";
import type { PastMigration } from "../../../contract/area.ts";
import type { Area } from "../data/documents.ts";
import { clock, shown } from "../data/format.ts";
import { may } from "../data/state.ts";
import { jobLink } from "../widgets/links.ts";

const nameOf = (host: string | null, address: string | null) => shown(host ?? address ?? "an unknown host");

function past(migration: PastMigration): TemplateResult {
  const { at, jobId, kind, outcome, from, to, fromHost, toHost, requestedBy, reason } = migration;
  const time = new Date(at * 1000).toISOString();
  const isDone = outcome === "migrated" || outcome === "already-home";
  return html`<li>
    <time datetime=${time}>${clock(time)}</time>
    ${jobLink(jobId, undefined, kind ?? "migration")} from ${nameOf(fromHost, from)} to ${nameOf(toHost, to)}:
    <span class=${isDone ? "good" : "bad"}>${shown(outcome ?? "not finished")}</span>
    ${reason === null ? nothing : html`<span class="path">(${shown(reason)})</span>`}
    ${requestedBy === null ? nothing : html`<span class="quiet path">${shown(requestedBy)}</span>`}
  </li>`;
}

function open({ migration }: Area): TemplateResult | typeof nothing {
  if (migration === null || !migration.open) return nothing;
  const { jobId, state, fromHost, toHost, begunAt, requestedBy } = migration;
  return html`<li>
    <time datetime=${begunAt}>${clock(begunAt)}</time>
    ${jobLink(jobId, undefined, migration.kind)} from ${nameOf(fromHost, migration.from)} to ${nameOf(toHost, migration.to)} has
    begun: ${shown(state)} <span class="quiet path">${shown(requestedBy ?? "")}</span>
  </li>`;
}

/** The homes that an area has had, and the one that it has now. */
export function homesSection(
  area: Area | undefined,
  migrations: readonly PastMigration[] | undefined,
): TemplateResult {
  const home = area === undefined ? nothing : (area.homehost ?? "none: the next Megatest decides");
  return html`<h2>Homehost</h2>
    <ol class="timeline homes" aria-busy=${migrations === undefined}>
      ${migrations?.map(past)} ${area === undefined ? nothing : open(area)}
      <li>
        <span class="quiet">now</span> at home on
        <strong class="path">${typeof home === "string" ? shown(home) : home}</strong>
        ${area?.pinned === true ? html`<span class="quiet">pinned: it is not migrated</span>` : nothing}
      </li>
    </ol>
    ${area === undefined || area.pinned || !may("operate") ? nothing : html`<p><a href="request?${new URLSearchParams({ job: "migrate", area: area.area })}">Move it to another host</a></p>`}`;
}
