import { html, nothing, type TemplateResult } from "lit-html";
import type { Host, Job } from "./documents.ts";
import { ago, runs } from "./format.ts";
import { changed, isHomeOf, state } from "./state.ts";

/** Shows a running job's phase, with a bar. */
export function progressOf({ job, area, progress }: Job): TemplateResult {
  const { phase = "starting", runs: moved = { done: 0, total: 0 } } = progress ?? {};
  const count = moved.total > 0 ? `, ${moved.done} of ${runs(moved.total)}` : "";
  const bar =
    moved.total > 0
      ? html`<progress max=${moved.total} .value=${moved.done} aria-label="runs done"></progress>`
      : html`<progress aria-label="running"></progress>`;
  return html`<p class="path">${job} ${area}<br /><span class="quiet">${phase}${count}</span></p>${bar}`;
}

function showHome(host: string): void {
  state.home = host;
  state.page = 0;
  changed();
  document.getElementById("areas")?.focus();
}

function hostCard(host: Host): TemplateResult {
  const { counts, worker, drained } = host;
  const [word, className] =
    worker === null
      ? ["no worker yet", "quiet"]
      : worker.alive
        ? ["worker alive", "good"]
        : ["worker gone", "bad"];
  const active = state.fleet?.jobs.find((job) => job.host === host.host && job.state === "active");
  const atHome = (state.areas ?? []).filter(({ homehost }) => isHomeOf(host, homehost)).length;
  const waiting = (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.delayed ?? 0);
  return html`<article data-host=${host.host}>
    <strong>${host.host}</strong> <span class=${className}>${word}</span>
    <p class="quiet">
      ${waiting} waiting, ${counts.failed ?? 0} failed${worker === null ? nothing : `, version ${worker.version}`}
    </p>
    ${drained === null ? nothing : html`<p>takes no new areas: drained by ${drained.by} ${ago(drained.at)}</p>`}
    <button class="small outline" ?disabled=${atHome === 0} @click=${() => showHome(host.host)}>
      ${atHome} ${atHome === 1 ? "area" : "areas"} at home
    </button>
    ${active === undefined ? nothing : progressOf(active)}
  </article>`;
}

export function hostsView(): TemplateResult {
  const hosts = state.fleet?.hosts;
  return html`<h2 id="hosts-title">Hosts</h2>
    ${hosts?.length === 0 ? html`<p class="quiet">no hosts yet: a host is listed once a worker starts there</p>` : nothing}
    <div class="hosts" aria-busy=${hosts === undefined}>${hosts?.map(hostCard)}</div>`;
}
