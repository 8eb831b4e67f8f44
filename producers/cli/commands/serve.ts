import type { Command } from "commander";
import { addHelp, addSharedOptions, type Bind } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { parseListen } from "../options/listen-address.ts";

export function addServe(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("serve")
    .summary("serve the page, REST API and Bull Board over HTTP")
    .description(
      "Serve a page for browsers (/), a REST API with its documentation (/docs), and Bull Board for the queues of all hosts (/queues) until SIGTERM; then finish open requests and exit.",
    )
    .option("--listen <address:port>", "the address and port to listen on", "127.0.0.1:3111")
    .option("--board-write", "let Bull Board change queues (default: read-only)");
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "It touches nothing outside --areas (MTJOBS_AREAS) and does not start without it. With a token (MTJOBS_TOKEN), every\nrequest except /healthz must send it, as bearer token or as the password of any user; without one, it listens on\nloopback only. It speaks plain HTTP: if other machines can reach it, put a proxy that ends TLS before it.\nLogs go to stderr.",
    ],
    examples: [
      ["mtjobs serve --areas /areas", "for this machine"],
      ["MTJOBS_TOKEN=$(cat token) mtjobs serve --listen 0.0.0.0:3111 --areas /areas", "for other machines"],
    ],
    exits: { 1: "it had to stop, or Redis is configured wrongly", 4: "Redis is unreachable" },
  });
  bind(command, async ({ settings, options, io }) => {
    const listen = parseListen(String(options.listen));
    // Imported here: no other command needs the web framework.
    const { serve } = await import("../../server/serve.ts");
    const boardWrite = options.boardWrite === true;
    const { env, interrupt: signal } = io;
    const url = await serve(settings, { listen, boardWrite, version: deps.version, env, signal });
    return { document: { url, state: "stopped" }, text: "" };
  });
}
