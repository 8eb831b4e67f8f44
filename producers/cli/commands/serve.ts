import type { Command } from "commander";
import { parseListen } from "../../listen-address.ts";
import { addSharedOptions, type Bind, teach } from "../command.ts";
import type { CliDeps } from "../deps.ts";

/** `mtjobs serve [--listen ADDRESS:PORT] [--board-write]` */
export function addServe(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("serve")
    .summary("overview page, REST API and Bull Board over HTTP")
    .description(
      "Serve an overview page (/), a REST API with its description (/docs), and Bull Board over the queues of all hosts (/queues), until SIGTERM: then it finishes the requests in hand and leaves.",
    )
    .option("--listen <address:port>", "where to listen", "127.0.0.1:3111")
    .option("--board-write", "let Bull Board change queues; without it, it only shows");
  addSharedOptions(command);
  teach(command, {
    notes: [
      "It touches nothing outside --areas (MTJOBS_AREAS) and refuses to start without. With a token (MTJOBS_TOKEN) every\nrequest but /healthz needs it, as bearer or as the password of any user; without one it listens on loopback only. It\nspeaks plain HTTP: put a proxy that ends TLS before it where others reach it. Logs go to stderr.",
    ],
    examples: [
      ["mtjobs serve --areas /areas", "for this machine"],
      ["MTJOBS_TOKEN=$(cat token) mtjobs serve --listen 0.0.0.0:3111 --areas /areas", "for others, too"],
    ],
    exits: { 1: "it had to stop, or Redis is unfit for it", 4: "Redis is out of reach" },
  });
  bind(command, async ({ settings, options, io }) => {
    const listen = parseListen(String(options.listen));
    // Loaded here: no other command needs a web framework.
    const { serve } = await import("../../server/serve.ts");
    const boardWrite = options.boardWrite === true;
    const url = await serve(settings, { listen, boardWrite, version: deps.version, signal: io.interrupt });
    return { document: { url, state: "stopped" }, text: "" };
  });
}
