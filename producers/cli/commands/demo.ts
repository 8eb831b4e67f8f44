import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { demoText } from "../../demo/demo-text.ts";
import { addHelp, addSharedOptions, type Bind } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { progressDisplay } from "../progress-bar.ts";

export function addDemo(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("demo")
    .summary("run a reduce on a generated sample area")
    .description(
      "Build an area with some tens of thousands of records in a temporary directory, start a worker for it, move all runs older than 30 days to completed-runs.db, and show the sizes before and after. Needs Redis; takes seconds; does not touch your areas.",
    )
    .option("--keep-area", "keep the area and print its path");
  addSharedOptions(command, ["--host", "--address", "--areas", "--cache-root", "--user", "--prefix"]);
  addHelp(command, {
    examples: [
      ["mtjobs demo", "run once; everything is removed afterwards"],
      ["mtjobs demo --keep-area", "keep the area to try other commands on it"],
    ],
    exits: {
      1: "the job failed",
      4: "Redis is unreachable, or the worker did not start",
      130: "interrupted",
    },
  });
  bind(command, async ({ io, settings, json, options }) => {
    const { runDemo } = await import("../../demo/run-demo.ts");
    const display = await progressDisplay(io, json);
    try {
      const report = await runDemo({
        settings,
        env: io.env,
        commandPath: deps.commandPath,
        keepArea: options.keepArea === true,
        signal: io.interrupt,
        onNote: display.note,
        onProgress: display.progress,
      });
      display.end();
      const { settings: _ownSettings, ...document } = report;
      // Under npm (`npm run demo`, npx) the command is not in PATH.
      const command = io.env.npm_command === undefined ? "mtjobs" : "npx mtjobs";
      // `npm run demo` starts its own Redis, which has stopped by now; the plain command would find none.
      const again = io.env.npm_lifecycle_event === "demo" ? "npm run demo --" : `${command} demo`;
      return { document, text: demoText(report, { command, again }) };
    } catch (error) {
      if (!(error instanceof JobsError) || error.code !== "redis-unreachable") throw error;
      throw new JobsError(error.code, error.message, {
        hint: "start Redis there, or set MTJOBS_REDIS_URL; in a checkout, npm run demo starts one automatically",
        cause: error,
      });
    } finally {
      display.end();
    }
  });
}
