import type { Command } from "commander";
import { addHelp, addSharedOptions, type Bind } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { parseListen } from "../options/listen-address.ts";

export function addWorker(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("worker")
    .summary("process this host's queue")
    .description(
      "Process this host's queue, one job at a time, until SIGTERM: then finish the current batch, put the job back and exit. A second signal exits immediately.",
    )
    .option(
      "--metrics <port>",
      "serve Prometheus metrics at http://127.0.0.1:PORT/metrics; ADDRESS:PORT is also accepted",
    );
  command.option(
    "--standby",
    "if another worker serves this host, wait until it is gone and take over (default: refuse to start)",
  );
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "It touches nothing outside --areas (MTJOBS_AREAS) and does not start without it. Run it as the user who owns the\nareas' files and Megatest's caches. Logs go to stderr.",
    ],
    examples: [
      ["mtjobs worker --areas /areas", "serve every area below /areas"],
      ["MTJOBS_AREAS=/a:/b mtjobs worker", "two roots, from the environment"],
      ["mtjobs worker --areas /areas --standby", "a second one, which takes over when the first is gone"],
    ],
    exits: {
      1: "it had to stop, or Redis is configured wrongly",
      2: "a setting is wrong, or a directory of --areas does not exist",
      3: "it cannot read and write as that user, owns no area there, or another worker serves this host or has taken it over",
    },
  });
  bind(command, async ({ settings, options }) => {
    const { metrics } = options;
    const listen = typeof metrics === "string" ? parseListen(metrics, "--metrics") : undefined;
    const alone = options.standby === true ? "standby" : "refuse";
    await deps.runWorker(settings, { metrics: listen, alone });
    return { document: { worker: settings.host, state: "stopped" }, text: "" };
  });
}
