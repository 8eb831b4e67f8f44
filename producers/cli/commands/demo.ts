import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { demoText } from "../../demo/demo-text.ts";
import { addSharedOptions, type Bind, teach } from "../command.ts";
import type { CliDeps } from "../deps.ts";
import { progressDisplay } from "../progress-bar.ts";

/** `mtjobs demo [--keep-area]` */
export function addDemo(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("demo")
    .summary("the whole story on a made-up area")
    .description(
      "Build an area with some tens of thousands of records in a temporary directory, start a worker for it, move all runs older than 30 days to completed-runs.db, and show before and after. Needs a Redis; takes seconds; touches no area of yours.",
    )
    .option("--keep-area", "leave the area where it is and say where");
  addSharedOptions(command, ["--host", "--address", "--areas", "--cache-root", "--user", "--prefix"]);
  teach(command, {
    examples: [
      ["mtjobs demo", "see it once; everything is removed again"],
      ["mtjobs demo --keep-area", "and go on trying things on the area"],
    ],
    exits: {
      1: "the job failed",
      4: "Redis is out of reach, or the worker did not start",
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
      // Under npm, as `npm run demo` or by npx, the command is in no PATH.
      const command = io.env.npm_command === undefined ? "mtjobs" : "npx mtjobs";
      // npm run demo brings a Redis along, which is gone now: the command alone would find none.
      const again = io.env.npm_lifecycle_event === "demo" ? "npm run demo --" : `${command} demo`;
      return { document, text: demoText(report, { command, again }) };
    } catch (error) {
      if (!(error instanceof JobsError) || error.code !== "redis-unreachable") throw error;
      throw new JobsError(error.code, error.message, {
        hint: "start Redis there, or set MTJOBS_REDIS_URL; in a checkout npm run demo starts one by itself",
        cause: error,
      });
    } finally {
      display.end();
    }
  });
}
