import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { describe, expect, it } from "vitest";
import { documents, withTables } from "./documents.ts";

describe("the figures of the documentation", () => {
  const written = [...documents()].map(([path, text]) => ({
    path,
    name: relative(process.cwd(), path),
    text,
  }));

  it.each(written)("in $name are those that were recorded", ({ path, text }) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("have a place in a document only under a name that there is", () => {
    expect(() => withTables("<!-- figures: none -->\n<!-- end -->")).toThrow("no table is called none");
  });
});
