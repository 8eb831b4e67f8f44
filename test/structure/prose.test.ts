import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { oldWords, proseOf, proseOfPage, proseOfTest } from "./prose.ts";
import { parseSource, productDirectories, readSources, root } from "./sources.ts";

it("no message, help text or comment of the product uses a word that the project avoids", () => {
  const prose = readSources(productDirectories).flatMap(proseOf);
  expect(prose.filter(({ kind }) => kind === "string").length).toBeGreaterThan(1_000);
  expect(oldWords(prose)).toEqual([]);
});

it("the words are found in strings, templates and comments, and not in SQL or names", () => {
  const found = (text: string) => oldWords(proseOf(parseSource("a.ts", text))).length;
  for (const text of [
    '"a file of ours is left"',
    "`nobody may open $" + "{file}`",
    "// mended by the next job",
    "/** Where no cache is. */",
    '"run 7 came to life half moved"',
    '"it says of no run which is meant, and so long it waits"',
  ])
    expect([text, found(text)]).toEqual([text, 1]);
  for (const text of ["`SELECT 1 FROM t WHERE no = 1 AND nobody`", '"nobody"', "const mend = 1;"])
    expect([text, found(text)]).toEqual([text, 0]);
});

it("no title or comment of a test uses a word that the project avoids", () => {
  const prose = readSources(["test"]).flatMap(proseOfTest);
  expect(prose.filter(({ kind }) => kind === "title").length).toBeGreaterThan(1_500);
  expect(oldWords(prose)).toEqual([]);
});

it("the words are found in titles and comments of tests, and not in their data", () => {
  const found = (text: string) => oldWords(proseOfTest(parseSource("a.test.ts", text))).length;
  for (const text of [
    'it("holds nobody up", () => {});',
    'describe.runIf(isRoot)("a file of ours", () => {});',
    'it.each([1])("is mended: %s", () => {});',
    "test(`a $" + "{kind} stray`, () => {});",
    "// Nobody waits.",
  ])
    expect([text, found(text)]).toEqual([text, 1]);
  for (const text of ["// The user `nobody`.", 'it("runs", () => call("a file of ours"));'])
    expect([text, found(text)]).toEqual([text, 0]);
});

it("no page of the documentation uses a word that the project avoids", () => {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].concat(
    docs.filter((name) => name.endsWith(".md")).map((name) => join("docs", name)),
  );
  expect(pages.length).toBeGreaterThan(25);
  const prose = pages.flatMap((page) => proseOfPage(page, readFileSync(join(root, page), "utf8")));
  expect(oldWords(prose)).toEqual([]);
});

it("the words are found on a page, and not in its code or the addresses of its links", () => {
  const found = (text: string) => oldWords(proseOfPage("a.md", text)).map((use) => use.split(":")[1]);
  expect(found("One\n\nand nobody\nmends `it`.\n")).toEqual(["3", "4"]);
  expect(found("`stray-1.db` is a\n\n```sh\nmend # nobody\n```\n[copy](#what-nobody-mends).\n")).toEqual([]);
});
