import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { variables } from "./environment.ts";

/** What a test may read from the environment besides: the system's variables, and the product's. */
const common = /^(PATH|HOME|TMPDIR|MTJOBS_REDIS_URL|MTJOBS_FAILPOINT)$/;

it("has every variable that only tests read, and no other file of test/ reads one", () => {
  const files = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.m?ts$|\.mjs$/.test(file),
  );
  const texts = files.map((file) => ({ file, text: readFileSync(join("test", file), "utf8") }));
  const read = texts.flatMap(({ file, text }) =>
    [...text.matchAll(/process\.env(?:\.|\[")(?<name>\w+)/g)]
      .map(({ groups }) => groups?.name ?? "")
      .filter((name) => !common.test(name))
      .map((name) => `${file} reads ${name}`),
  );
  expect(read).toEqual([]);
  const others = texts.filter(({ file }) => !/environment\.(test\.)?ts$/.test(file));
  const unused = Object.keys(variables).filter((name) => !others.some(({ text }) => text.includes(name)));
  expect(unused).toEqual([]);
});

it("is described in docs/testing.md, variable by variable", () => {
  const page = readFileSync(join("docs", "testing.md"), "utf8");
  expect(Object.keys(variables).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
