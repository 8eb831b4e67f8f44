/** Maximum characters of a name or a path, and of any other text. */
export const longestName = 4000;
export const longestText = 1000;

/** Bytes of a list as JSON. The rest of a document, with one row that is too long, keeps it under 300 kB. */
const listBytes = 180_000;

/** Returns the first `most` characters, fewer if they are long as JSON: a control character has six bytes there. */
export function beginningOf(text: string, most = longestText): string {
  const bytes = (value: string) => Buffer.byteLength(JSON.stringify(value)) - 2;
  // Half a pair of surrogates is no text.
  const slice = (value: string, length: number) => value.slice(0, length).replace(/[\ud800-\udbff]$/, "");
  let cut = text.length <= most ? text : slice(text, most);
  for (let size = bytes(cut); size > 2 * most; size = bytes(cut))
    cut = slice(cut, Math.max(0, Math.floor((cut.length * 2 * most) / size) - 1));
  return cut;
}

/** Adds rows to a list until one would make it too long as JSON; that and all later ones are left out. The first is always added. */
export class BoundedList<Row> {
  readonly rows: Row[] = [];
  readonly #measure: (row: Row) => unknown;
  #left: number;

  /** @param measure what stands for a row in JSON */
  constructor(bytes = listBytes, measure: (row: Row) => unknown = (row) => row) {
    this.#left = bytes;
    this.#measure = measure;
  }

  /** Returns false if the row was left out. */
  add(row: Row): boolean {
    const bytes = Buffer.byteLength(JSON.stringify(this.#measure(row))) + 1;
    this.#left -= bytes;
    if (this.#left < 0 && this.rows.length > 0) return false;
    this.rows.push(row);
    return true;
  }
}
