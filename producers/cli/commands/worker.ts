import type { Command } from "commander";
import { parseListen } from "../../listen-address.ts";
import { addSharedOptions, type Bind, teach } from "../command.ts";
import type { CliDeps } from "../deps.ts";

/** `mtjobs worker` */
export function addWorker(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("worker")
    .summary("serve this host's queue")
    .description(
      "Serve this host's queue, one job at a time, until SIGTERM: then it finishes the batch in hand, puts the job back and leaves. A second signal leaves at once.",
    )
    .option("--metrics <port>", "figures for Prometheus at http://127.0.0.1:PORT/metrics; or ADDRESS:PORT");
  addSharedOptions(command);
  teach(command, {
    notes: [
      "It touches nothing outside --areas (MTJOBS_AREAS) and refuses to start without. Run it as the user who owns\nthe areas' files and Megatest's caches. Logs go to stderr.",
    ],
    examples: [
      ["mtjobs worker --areas /areas", "serve every area below /areas"],
      ["MTJOBS_AREAS=/a:/b mtjobs worker", "two roots, from the environment"],
    ],
    exits: { 1: "it had to stop, or Redis is unfit for it", 3: "it may not read and write as that user" },
  });
  bind(command, async ({ settings, options }) => {
    const { metrics } = options;
    const listen = typeof metrics === "string" ? parseListen(metrics, "--metrics") : undefined;
    await deps.runWorker(settings, { metrics: listen });
    return { document: { worker: settings.host, state: "stopped" }, text: "" };
  });
}
