import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { describe, expect, it } from "vitest";
import { documents, placesIn, withTables } from "./documents.ts";
import { tables } from "./tables.ts";

const written = [...documents()].map(([path, text]) => ({ path, name: relative(process.cwd(), path), text }));

describe("the figures of the documentation", () => {
  it.each(written)("in $name are those that were recorded", ({ path, text }) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("have one place for each table, and each place has its end", () => {
    const places = written.filter(({ name }) => name.endsWith(".md")).map(({ text }) => placesIn(text));
    expect(places.flatMap(({ opened }) => opened).sort()).toEqual(Object.keys(tables).sort());
    for (const { opened, closed } of places) expect(closed).toBe(opened.length);
  });

  it("have a place in a document only under a name that there is", () => {
    expect(() => withTables("<!-- figures: none -->\n<!-- end -->")).toThrow("no table is called none");
  });
});
