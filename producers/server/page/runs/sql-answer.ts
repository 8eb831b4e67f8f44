import { html, nothing, type TemplateResult } from "lit-html";
import type { QueryAnswer } from "../../../contract/runs.ts";
import { number, shown } from "../data/format.ts";

/** Characters of a value that are shown at once. */
const shortText = 200;

interface Cell {
  text: string;
  /** Of another kind than text, such as NULL. */
  isQuiet?: boolean;
}

/** The server sends a blob as `{ base64 }`. */
function cellOf(value: unknown): Cell {
  if (value === null) return { text: "NULL", isQuiet: true };
  if (typeof value !== "object") return { text: shown(String(value)) };
  const bytes = atob((value as { base64: string }).base64);
  const hex = [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0"));
  return { text: `x'${hex.join("")}'`, isQuiet: true };
}

/** An integer that a number cannot represent is sent as text. */
const isNumber = (value: unknown) =>
  typeof value === "number" || (typeof value === "string" && /^-?\d{16,19}$/.test(value));

/** Returns for each column whether all its values are numbers, as far as there are any. */
function numericColumns({ columns, rows }: QueryAnswer): boolean[] {
  return columns.map((_, index) => {
    const values = rows.map((row) => row[index]).filter((value) => value !== null);
    return values.length > 0 && values.every(isNumber);
  });
}

function cellView(value: unknown, isNumeric: boolean, isCut: boolean): TemplateResult {
  const { text, isQuiet } = cellOf(value);
  const sign = isCut ? html` <mark>cut</mark>` : nothing;
  const isLong = text.length > shortText;
  const content = isLong
    ? html`<details>
        <summary>${text.slice(0, shortText)}…</summary>
        ${text}
      </details>`
    : text;
  const kind = isNumeric ? "number" : isQuiet === true ? "quiet" : "";
  return html`<td class=${isLong ? `${kind} path long` : kind}>${content}${sign}</td>`;
}

/** The rows of a query as a table: numbers to the right, NULL and blobs told from text, values that are cut marked. */
export function sqlTable(answer: QueryAnswer): TemplateResult {
  const numeric = numericColumns(answer);
  const cut = new Set(answer.cut.map(([row, column]) => `${row} ${column}`));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Rows">
    <table aria-label="Result">
      <thead>
        <tr>
          ${answer.columns.map((name, index) => html`<th scope="col" class=${numeric[index] === true ? "number" : ""}>${shown(name)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${answer.rows.map(
          (row, rowIndex) =>
            html`<tr>${row.map((value, index) => cellView(value, numeric[index] === true, cut.has(`${rowIndex} ${index}`)))}</tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** `1,000 rows; there are more; 2 values are cut` */
export function sqlSummary({ rows, truncated, cutValues, source }: QueryAnswer, isBoth: boolean): string {
  const from = source === "cache" ? "the cache of megatest.db" : "megatest.db";
  return [
    `${number(rows.length)} ${rows.length === 1 ? "row" : "rows"} from ${from}${isBoth ? " and completed-runs.db" : ""}`,
    ...(truncated ? ["there are more rows than are shown"] : []),
    ...(cutValues === 0
      ? []
      : [`${number(cutValues)} ${cutValues === 1 ? "value is" : "values are"} cut, because long`]),
  ].join("; ");
}
