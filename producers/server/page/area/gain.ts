import { html, nothing, type TemplateResult } from "lit-html";
import type uPlot from "uplot";
import type { GainByAge } from "../../../contract/area.ts";
import { bytes, number, runs, shown } from "../data/format.ts";
import type { Resource } from "../data/resource.ts";
import { may } from "../data/state.ts";
import { fromZero, Plot, ticks } from "./plot.ts";

/** `3 days`, `2 weeks`, `3 months`, `2 years` */
function ageText(days: number): string {
  const units = [
    [365, "year"],
    [30, "month"],
    [7, "week"],
    [1, "day"],
  ] as const;
  const [length, name] = units.find(([size]) => days >= size && days % size === 0) ?? ([1, "day"] as const);
  const count = days / length;
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

function table({ gains }: GainByAge): TemplateResult {
  return html`<div class="wide">
    <table aria-label="Gain by age">
      <thead>
        <tr>
          ${["Runs older than", "Runs", "Tests", "megatest.db smaller by"].map((title) => html`<th scope="col">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${gains.map(
          (gain) => html`<tr>
            <th scope="row">${ageText(gain.days)}</th>
            <td class="number">${number(gain.runs)}</td>
            <td class="number">${number(gain.tests)}</td>
            <td class="number">${bytes(gain.bytes)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** By how much a reduce would make megatest.db smaller, in a sentence, as a curve and as a table. */
export function gainSection(
  path: string,
  { value, trouble }: Pick<Resource<GainByAge>, "value" | "trouble">,
  isReadable: boolean,
): TemplateResult {
  const month = value?.gains.find(({ days }) => days === 30);
  return html`<h2>What a reduce would gain</h2>
    <p class="path" aria-busy=${isReadable && value === undefined && trouble === undefined}>
      ${isReadable ? nothing : "megatest.db cannot be read."}
      ${trouble === undefined ? nothing : html`<span class="bad" role="alert">${shown(trouble)}</span>`}
      ${value === undefined ? nothing : sentence(value, month)}
    </p>
    ${value === undefined || !may("operate") ? nothing : actions(path, value, month)}
    <figure class="chart gain" role="img" aria-label="By how many bytes a reduce would make megatest.db smaller, by the age of the runs; the table has the same"></figure>
    <details>
      <summary>As a table</summary>
      ${value === undefined ? nothing : table(value)}
    </details>`;
}

function sentence(
  { bytes: size, freeBytes }: GainByAge,
  month: GainByAge["gains"][number] | undefined,
): string {
  const vacuum = freeBytes === 0 ? "" : ` A vacuum alone would make megatest.db ${bytes(freeBytes)} smaller.`;
  if (month === undefined || month.runs === 0)
    return `No run is older than 30 days: a reduce by that age would move nothing.${vacuum}`;
  return `Moving ${runs(month.runs)} older than 30 days would make megatest.db, now ${bytes(size)}, about ${bytes(month.bytes)} smaller, and completed-runs.db as much larger.${vacuum}`;
}

/** Keeps every run: such a reduce moves nothing, and vacuums. */
const keepAll = "1000000000";

function actions(
  path: string,
  { freeBytes }: GainByAge,
  month: GainByAge["gains"][number] | undefined,
): TemplateResult {
  const request = (text: string, given: Record<string, string>) =>
    html`<a href="request?${new URLSearchParams({ area: path, ...given })}">${text}</a>`;
  return html`<p class="choices">
    ${month === undefined || month.runs === 0 ? nothing : request(`Move these ${runs(month.runs)}`, { job: "reduce", age: "30d" })}
    ${freeBytes === 0 ? nothing : request("Vacuum alone", { job: "reduce", keep: keepAll, compact: "always" })}
    ${request("Purge moved runs, which frees disk space", { job: "purge" })}
  </p>`;
}

/** Draws the curve: the ages are steps of equal width, because they grow like a logarithm. */
export function gainPlot([place]: readonly HTMLElement[], gains: GainByAge["gains"]): Plot[] {
  if (place === undefined || gains.length === 0) return [];
  const steps = gains.map((_gain, index) => index);
  const ageAt = (index: number) => (gains[index] === undefined ? "" : ageText(gains[index].days));
  const line = (
    label: string,
    scale: string,
    stroke: string,
    show: (count: number) => string,
  ): uPlot.Series => ({
    ...{ label, scale, stroke, width: 2, points: { show: true, size: 6 } },
    value: (_plot, count) => (count === null ? "–" : show(count)),
  });
  return [
    new Plot(
      place,
      [steps, gains.map((gain) => gain.bytes), gains.map((gain) => gain.runs)],
      ({ colour, axis }) => ({
        scales: {
          x: { time: false, range: [-0.5, gains.length - 0.5] },
          bytes: fromZero,
          runs: fromZero,
        },
        series: [
          { label: "older than", value: (_plot, index) => (index === null ? "–" : ageAt(index)) },
          line("smaller by", "bytes", colour("--line-1"), bytes),
          { ...line("runs", "runs", colour("--line-3"), number), dash: [8, 6] },
        ],
        axes: [
          {
            ...axis,
            splits: steps,
            values: ticks(ageAt),
            space: 10,
            rotate: -30,
            size: 56,
          },
          { ...axis, scale: "bytes", size: 72, values: ticks(bytes) },
          {
            ...axis,
            ...{ scale: "runs", side: 1, size: 48, grid: { show: false } },
            values: ticks((count) => (Number.isInteger(count) ? number(count) : "")),
          },
        ],
      }),
    ),
  ];
}
