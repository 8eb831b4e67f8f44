import type { Command } from "commander";
import type { Bind } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { addMoveCommand } from "../move-command.ts";

export function addReduce(program: Command, bind: Bind, deps: CliDeps): void {
  addMoveCommand(program, bind, deps, {
    name: "reduce",
    summary: "move runs to completed-runs.db",
    description:
      "Move finished runs from an area's databases to completed-runs.db, so that megatest.db and its cache stay small. A run with a running test is never moved. Nothing is lost if a process or host dies on the way.",
    selectors: {
      keep: "keep the newest N of each target in place",
      includeLocked: "include runs that their owner locked",
    },
    dryRun: "print what would move; change nothing",
    help: {
      notes: [
        "At least one selector is required; --runname % selects every run. A pattern is LIKE if it contains %, otherwise\nGLOB; commas separate alternatives. A finished run has the state new and the status n/a unless\na user has set them. Durations: 500ms, 90s, 30m, 12h, 30d, 8w.",
      ],
      examples: [
        ["mtjobs reduce /areas/a1 --age 30d --dry-run --wait", "what is older than 30 days"],
        ["mtjobs reduce /areas/a1 --age 30d --wait", "move it, and follow the job"],
        [
          "mtjobs reduce --target ubuntu/% --keep 5",
          "the working directory; keep the newest 5 of each target",
        ],
        ["mtjobs reduce --all --age 90d", "a job for each area below --areas"],
        ["mtjobs reduce --runname % --inline", "without Redis or a worker"],
        ["mtjobs -reduce-records -target ubuntu/% -runname w4%", "in Megatest's spelling"],
      ],
    },
  });
}
