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
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "It touches nothing outside --areas (MTJOBS_AREAS) and does not start without it. Run it as the user who owns the\nareas' files and Megatest's caches. Logs go to stderr.",
    ],
    examples: [
      ["mtjobs worker --areas /areas", "serve every area below /areas"],
      ["MTJOBS_AREAS=/a:/b mtjobs worker", "two roots, from the environment"],
    ],
    exits: {
      1: "it had to stop, or Redis is configured wrongly",
      3: "it cannot read and write as that user",
    },
  });
  bind(command, async ({ settings, options }) => {
    const { metrics } = options;
    const listen = typeof metrics === "string" ? parseListen(metrics, "--metrics") : undefined;
    await deps.runWorker(settings, { metrics: listen });
    return { document: { worker: settings.host, state: "stopped" }, text: "" };
  });
}
