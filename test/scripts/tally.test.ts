import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Machine, root, temporaryDirectory } from "./run-script.ts";

async function tally(report: unknown) {
  const path = join(temporaryDirectory(), "report.json");
  writeFileSync(path, JSON.stringify(report));
  const { status, stdout } = await new Machine().run([join(root, "scripts", "tally.mjs"), path]);
  return { status, stdout };
}

const passing = { status: "passed", assertionResults: [{ status: "passed" }] };

test("a run in which everything passed is tallied with exit 0", async () => {
  const report = { numPassedTests: 12, numFailedTests: 0, testResults: [passing] };
  expect(await tally(report)).toEqual({ status: 0, stdout: "12 passed, 0 failed\n" });
});

test("a failed test fails the tally and is counted once", async () => {
  const file = { status: "failed", assertionResults: [{ status: "failed" }, { status: "passed" }] };
  const report = { numPassedTests: 1, numFailedTests: 1, testResults: [file] };
  expect(await tally(report)).toEqual({ status: 1, stdout: "1 passed, 1 failed\n" });
});

test("a test file that cannot be loaded counts as a failure", async () => {
  const report = {
    numPassedTests: 3,
    numFailedTests: 0,
    testResults: [passing, { status: "failed", assertionResults: [] }],
  };
  expect(await tally(report)).toEqual({ status: 1, stdout: "3 passed, 1 failed\n" });
});

test("a run without any test, or without a report, is a failure", async () => {
  const empty = { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  expect((await tally(empty)).status).toBe(1);
  expect(await new Machine().run([join(root, "scripts", "tally.mjs"), "/nonexistent"])).toMatchObject({
    status: 1,
    stdout: "0 passed, 0 failed\n",
  });
});
