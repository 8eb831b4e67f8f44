import { type AddCommand, addHelp, addSharedOptions } from "../../command.ts";

export const addHealth: AddCommand = (program, bind) => {
  const command = program
    .command("health")
    .summary("check that a worker or a server is well, for health checks")
    .description(
      "Ask a worker's metrics (mtjobs worker --metrics) or a server's /healthz, and end with 0 if the answer is good. Without --url it asks the worker at port 9464 and the server at port 3111 of this machine: one must answer, and each that answers must be well.",
    )
    .option("--url <url>", "what to ask");
  addSharedOptions(command);
  addHelp(command, {
    notes: ["It needs no Redis, no token and no area, and waits 3 seconds at most."],
    examples: [
      ["mtjobs health", "the worker or server of this machine or container"],
      ["mtjobs health --url http://127.0.0.1:9464/metrics", "this worker"],
      ["mtjobs health --url http://127.0.0.1:3111/healthz --json", "this server, for programs"],
    ],
    exits: { 0: "well", 1: "not well, or nothing answers; the sentence printed says which" },
  });
  bind(command, async ({ options: { url } }) => {
    const { checkHealth, healthText } = await import("../../../fleet/health.ts");
    const report = await checkHealth(typeof url === "string" ? url : undefined);
    return { document: report, text: healthText(report), exit: report.ok ? 0 : 1 };
  });
};
