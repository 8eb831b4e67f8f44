import { expect, it } from "vitest";
import { readSources } from "../structure/sources.ts";
import { unitTests } from "./unit-tests.ts";

it("takes a test of a parser for a unit test, and none that imports what needs Redis or a process", () => {
  const unit = unitTests();
  expect(unit).toContain("test/shared/area/config.test.ts");
  const beyond = /^(test\/support\/(queue|hosts)\.ts|node:child_process|bullmq|ioredis)$/;
  const others = readSources(["test"])
    .filter(({ imports }) => imports.some(({ from, typeOnly }) => !typeOnly && beyond.test(from)))
    .map(({ path }) => path);
  expect(others.length).toBeGreaterThan(100);
  expect(others.filter((path) => unit.includes(path))).toEqual([]);
});
