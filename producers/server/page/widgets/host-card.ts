import { html, nothing, type TemplateResult } from "lit-html";
import type { Host } from "../data/documents.ts";
import { shown } from "../data/format.ts";
import { isHomeOf, state } from "../data/state.ts";
import { hostLink, when } from "./links.ts";
import { progressOf } from "./progress.ts";

/** Says in two words how a host's worker is. */
export function workerState({ worker }: Host): TemplateResult {
  if (worker === null) return html`<span class="quiet">no worker yet</span>`;
  return worker.alive
    ? html`<span class="good">worker alive</span>`
    : html`<span class="bad">worker gone</span>`;
}

export function waitingOf({ counts }: Host): number {
  return (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.delayed ?? 0);
}

function hostCard(host: Host): TemplateResult {
  const { counts, worker, drained } = host;
  const active = state.fleet?.jobs.find((job) => job.host === host.host && job.state === "active");
  const atHome = (state.areas ?? []).filter(({ homehost }) => isHomeOf(host, homehost)).length;
  return html`<article data-host=${host.host}>
    <strong>${hostLink(host.host)}</strong> ${workerState(host)}
    <p class="quiet">
      ${waitingOf(host)} waiting, ${counts.failed ?? 0} failed${worker === null ? nothing : `, version ${shown(worker.version)}`}
    </p>
    ${drained === null ? nothing : html`<p>takes no new areas: drained by ${shown(drained.by)} ${when(drained.at)}</p>`}
    <p>
      <a href="areas?${new URLSearchParams({ home: host.host })}">
        ${atHome} ${atHome === 1 ? "area" : "areas"} at home
      </a>
    </p>
    ${active === undefined ? nothing : progressOf(active, { withArea: true })}
  </article>`;
}

export function hostCards(): TemplateResult {
  const hosts = state.fleet?.hosts;
  return html`${hosts?.length === 0 ? html`<p class="quiet">no hosts yet: a host is listed once a worker starts there</p>` : nothing}
    <div class="hosts" tabindex="0" role="region" aria-label="Hosts" aria-busy=${hosts === undefined}>
      ${hosts?.map(hostCard)}
    </div>`;
}
