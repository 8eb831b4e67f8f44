import type { Command } from "commander";

/**
 * Adds the option that says which queue has a job; returns a function that reads it. Only the command's own `--host`
 * counts: the host name of the environment selects no queue.
 */
export function addJobHost(command: Command): () => string | undefined {
  command.option(
    "--host <name>",
    "search only this host's queue; needed for a job that was added without an id",
  );
  return () => command.opts().host as string | undefined;
}
