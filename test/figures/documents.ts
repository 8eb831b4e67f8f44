import { readFileSync } from "node:fs";
import { join } from "node:path";
import { drawAll } from "./draw.ts";
import { tables } from "./tables.ts";

const pages = ["benchmarks.md", "reliability.md"];

/** Every file of docs/ that is written from what was recorded, as it should be, by its path. */
export function documents(): Map<string, string> {
  const docs = join(process.cwd(), "docs");
  const plots = [...drawAll()].map(([name, svg]) => [join(docs, "figures", name), svg] as const);
  const texts = pages.map((name) => {
    const path = join(docs, name);
    return [path, withTables(readFileSync(path, "utf8"))] as const;
  });
  return new Map([...plots, ...texts]);
}

/** The names of the tables that a document has a place for, and how many places it closes. */
export function placesIn(text: string): { opened: string[]; closed: number } {
  const opened = [...text.matchAll(/<!-- figures: (.*?) -->/g)].map(([, name]) => name ?? "");
  return { opened, closed: text.split("<!-- end -->").length - 1 };
}

/** A document whose places for tables hold what was recorded. @throws RangeError for a name that no table has */
export function withTables(text: string): string {
  return text.replaceAll(/<!-- figures: (.*?) -->\n.*?<!-- end -->/gs, (_, name: string) => {
    const make = tables[name];
    if (make === undefined) throw new RangeError(`no table is called ${name}`);
    return `<!-- figures: ${name} -->\n\n${make()}\n\n<!-- end -->`;
  });
}
