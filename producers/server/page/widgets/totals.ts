import { html, nothing, svg, type TemplateResult } from "lit-html";
import type { HostHours, Totals, Trouble } from "../../../contract/totals.ts";
import { bytes, clock, number, shown } from "../data/format.ts";
import { areaLink, hostLink } from "./links.ts";

type Jobs = NonNullable<Totals["jobs"]>;

function figure(name: string, value: string, note: TemplateResult | string | null = ""): TemplateResult {
  return html`<div>
    <dt>${name}</dt>
    <dd><strong>${value}</strong> <small>${note}</small></dd>
  </div>`;
}

/** The farm in a few numbers; dashes until they arrive, in the same places. */
export function figures(totals: Totals | undefined): TemplateResult {
  const { areas, jobs, wrong } = totals ?? {};
  const counted =
    areas != null && areas.counted < areas.total ? `, ${number(areas.counted)} areas counted` : "";
  const [here, moved] = ["megatest.db", "completed-runs.db"] as const;
  return html`<dl class="figures" aria-busy=${totals === undefined}>
    ${figure("Areas", number(areas?.total), areas?.unusable ? `${number(areas.unusable)} unusable` : "")}
    ${figure("Runs in megatest.db", number(areas?.runs[here]), areas && `${bytes(areas.bytes[here])}${counted}`)}
    ${figure("Moved runs", number(areas?.runs[moved]), areas && bytes(areas.bytes[moved]))}
    ${figure("Bytes saved", bytes(areas?.savedBytes), "in megatest.db")}
    ${figure(
      "Jobs in 24 hours",
      jobs == null ? "–" : number(jobs.completed + jobs.failed + jobs.cancelled),
      jobs == null
        ? ""
        : html`<a href="jobs?state=failed">${number(jobs.failed)} failed</a>, ${number(jobs.unfinished)} unfinished`,
    )}
    ${figure("Problems", number(wrong?.total), wrong?.total ? html`<a href="#wrong">show</a>` : "")}
  </dl>`;
}

function troubleLine({ text, area, host }: Trouble): TemplateResult {
  return html`<li>
    <span class="bad path">${shown(text)}</span>
    ${area === undefined ? nothing : areaLink(area)} ${host === undefined || area !== undefined ? nothing : hostLink(host)}
  </li>`;
}

/** What is wrong on the farm, in a place of constant height. Failing schedules and policies are listed as they happen, elsewhere. */
export function troubles(totals: Totals | undefined): TemplateResult {
  const list = totals?.wrong.list.filter(({ kind }) => kind !== "automatic") ?? [];
  const total = totals?.wrong.total ?? 0;
  const more =
    total > 100 ? html`<p class="quiet">${number(total)} in all; the first 100 are listed.</p>` : nothing;
  return html`<div class="troubles" id="wrong" tabindex="0" role="region" aria-label="What is wrong" aria-busy=${totals === undefined}>
    ${totals !== undefined && list.length === 0 ? html`<p class="quiet">No area, host or last job is in trouble.</p>` : nothing}
    <ul>
      ${list.map(troubleLine)}
    </ul>
    ${more}
  </div>`;
}

const kinds = ["completed", "failed", "cancelled"] as const;
const barWidth = 10;
const height = 30;

const jobsOf = (hours: HostHours, index: number) =>
  kinds.reduce((sum, kind) => sum + (hours[kind][index] ?? 0), 0);

/** A bar for each hour, of the jobs that ended in it. */
function strip(hours: HostHours, from: number, most: number): TemplateResult {
  const counts = hours.completed.map((_count, index) => index);
  const bars = counts.map((index) => {
    let top = height;
    const parts = kinds.map((kind) => {
      const size = ((hours[kind][index] ?? 0) / most) * (height - 2);
      top -= size;
      return svg`<rect class=${kind} x=${index * barWidth + 1} y=${top} width=${barWidth - 2} height=${size}></rect>`;
    });
    const told = kinds.map((kind) => `${hours[kind][index] ?? 0} ${kind}`).join(", ");
    const time = clock(new Date((from + index * 3600) * 1000).toISOString()).slice(0, 16);
    return svg`<g><title>${time}: ${told}</title>
      <rect class="hour" x=${index * barWidth + 1} y="0" width=${barWidth - 2} height=${height}></rect>${parts}</g>`;
  });
  return html`<svg viewBox="0 0 ${counts.length * barWidth} ${height}" preserveAspectRatio="none" role="img" aria-label=${`Jobs per hour on ${shown(hours.host)}`}>
    ${bars}
  </svg>`;
}

function hostRow(hours: HostHours, { from }: Jobs, most: number): TemplateResult {
  const sums = kinds.map((kind) => [kind, hours[kind].reduce((sum, count) => sum + count, 0)] as const);
  const told = sums.filter(([kind, count]) => count > 0 || kind === "completed");
  return html`<tr>
    <th scope="row">${hostLink(hours.host)}</th>
    <td class="strip">${strip(hours, from, most)}</td>
    <td class="quiet">${told.map(([kind, count]) => `${number(count)} ${kind}`).join(", ")}</td>
  </tr>`;
}

/** Jobs that ended in each of the last 24 hours, by host, in a place of constant height. */
export function jobHours(totals: Totals | undefined): TemplateResult {
  const jobs = totals?.jobs ?? undefined;
  const hosts = jobs?.hosts ?? [];
  const most = Math.max(
    1,
    ...hosts.flatMap((hours) => hours.completed.map((_count, index) => jobsOf(hours, index))),
  );
  return html`<div class="job-hours" tabindex="0" role="region" aria-label="Jobs per hour and host" aria-busy=${totals === undefined}>
    ${totals !== undefined && jobs === undefined ? html`<p class="bad">Redis is unreachable.</p>` : nothing}
    ${jobs !== undefined && hosts.length === 0 ? html`<p class="quiet">No host has had a job yet.</p>` : nothing}
    <table>
      <tbody>
        ${jobs === undefined ? nothing : hosts.map((hours) => hostRow(hours, jobs, most))}
      </tbody>
    </table>
    ${jobs?.complete === false ? html`<p class="quiet">A queue keeps 1,000 jobs: there may have been more.</p>` : nothing}
  </div>`;
}
