import type { Command } from "commander";
import type { Bind } from "../command.ts";
import type { CliDeps } from "../deps.ts";
import { addMoveCommand } from "../move-command.ts";

/** `mtjobs reduce AREA [selectors] [--dry-run] [--compact …] [--inline]` */
export function addReduce(program: Command, bind: Bind, deps: CliDeps): void {
  addMoveCommand(program, bind, deps, {
    name: "reduce",
    summary: "move runs to completed-runs.db",
    description:
      "Move finished runs from an area's databases to completed-runs.db, so that megatest.db and its cache stay small. A run with a test that still runs is never moved; nothing is lost, whatever dies on the way.",
    selectors: {
      keep: "leave the newest N of each target",
      includeLocked: "runs that their owner locked, too",
    },
    dryRun: "say what would move and change nothing",
    lesson: {
      notes: [
        "A selector must be given: --runname % means every run. In a pattern % means LIKE, without one it is a GLOB;\ncommas separate alternatives. A finished run has the\nstate new and the status n/a unless somebody set them. Durations: 500ms, 90s, 30m, 12h, 30d, 8w.",
      ],
      examples: [
        ["mtjobs reduce /areas/a1 --age 30d --dry-run --wait", "what is older than 30 days"],
        ["mtjobs reduce /areas/a1 --age 30d --wait", "move it, and watch"],
        ["mtjobs reduce --target ubuntu/% --keep 5", "here; the newest 5 of each target stay"],
        ["mtjobs reduce --runname % --inline", "without Redis and worker"],
        ["mtjobs -reduce-records -target ubuntu/% -runname w4%", "in Megatest's spelling"],
      ],
    },
  });
}
