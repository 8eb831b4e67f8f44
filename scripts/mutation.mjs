/**
 * `npm run mutation [-- GROUP…]`: changes the code that removes rows, and what it is guarded by, at one place after the
 * other (StrykerJS), and runs the tests of that code after each. A change that no test notices survives: it is printed,
 * and the exit status is 1. `mutation/groups.mjs` has the groups.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { passOn, root, run, SetupError, say } from "./command.mjs";
import { installTool } from "./install-tool.mjs";
import { groups } from "./mutation/groups.mjs";
import { asProgram } from "./program.mjs";

const reports = join("coverage", "mutation");

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Resolves to the exit status of Stryker. */
async function mutate(stryker, name) {
  const { mutate: lines, tests } = groups[name];
  say(`mutation ${name}: ${lines.length} files, ${tests.length} files of tests`);
  return await run(
    process.execPath,
    [
      join(stryker, "bin", "stryker.js"),
      "run",
      join("scripts", "mutation", "stryker.config.mjs"),
      "--mutate",
      lines.join(","),
    ],
    {
      stdout: process.stdout,
      env: {
        ...process.env,
        MTJOBS_MUTATION_TESTS: tests.join(","),
        MTJOBS_MUTATION_REPORT: join(reports, `${name}.json`),
      },
    },
  );
}

/** Counts the mutants of each file of a report by their status. */
function countMutants(name) {
  const { files } = readJson(join(root, reports, `${name}.json`));
  return Object.entries(files).map(([file, { mutants }]) => {
    const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
    return {
      file,
      killed: count("Killed", "RuntimeError"),
      "timed out": count("Timeout"),
      survived: count("Survived"),
      "not covered": count("NoCoverage"),
    };
  });
}

await asProgram(import.meta.url, async (args) => {
  const names = args.length > 0 ? args : Object.keys(groups);
  const unknown = names.find((name) => !Object.hasOwn(groups, name));
  if (unknown !== undefined)
    throw new SetupError(`no group ${unknown}; there are ${Object.keys(groups).join(", ")}`, 2);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => passOn(signal));
  // It has nearly as many packages as all the rest: it is no dependency of the checkout.
  const stryker = await installTool("mutation", "@stryker-mutator/core", "60 MB");
  const counts = [];
  for (const name of names) {
    const status = await mutate(stryker, name);
    if (status !== 0) return status;
    counts.push(...countMutants(name));
  }
  console.table(counts);
  return counts.some((count) => count.survived + count["not covered"] > 0) ? 1 : 0;
});
