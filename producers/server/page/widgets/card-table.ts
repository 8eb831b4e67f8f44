import { html, nothing, type TemplateResult } from "lit-html";

interface Options {
  isBusy?: boolean;
  /** Titles of columns with measures. */
  measures?: ReadonlySet<string>;
}

/** A table that becomes a list of cards on a narrow screen. `rows` is what a template takes for its `tr` elements. */
export function cardTable(
  label: string,
  titles: readonly string[],
  rows: unknown,
  { isBusy = false, measures }: Options = {},
): TemplateResult {
  return html`<div class="wide" aria-busy=${isBusy}>
    <table class="cards" aria-label=${label}>
      <thead>
        <tr>
          ${titles.map((title) => html`<th scope="col" class=${measures?.has(title) ? "measure" : nothing}>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
