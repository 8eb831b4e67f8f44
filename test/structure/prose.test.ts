import { expect, it } from "vitest";
import { oldWords, proseOf } from "./prose.ts";
import { parseSource, productDirectories, readSources } from "./sources.ts";

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
