import { spawn } from "node:child_process";
import getPort from "get-port";
import { expect } from "vitest";
import { waitFor } from "../support/area.ts";
import { collectOutput } from "../support/queue.ts";

/** Starts a worker with metrics and a server of an installation, until each says by `mtjobs health` that it is well. */
export async function startServices(
  command: string,
  areas: string,
  env: Record<string, string>,
): Promise<void> {
  for (const [args, page] of [
    [["worker", "--metrics"], "metrics"],
    [["serve", "--listen"], "healthz"],
  ] as const) {
    const port = await getPort();
    const address = args[0] === "serve" ? `127.0.0.1:${port}` : String(port);
    const child = spawn(command, [...args, address], { cwd: areas, env: { ...env, MTJOBS_AREAS: areas } });
    const service = collectOutput(child);
    try {
      const ask = ["health", "--url", `http://127.0.0.1:${port}/${page}`];
      await waitFor(
        `${args[0]} to be well`,
        async () =>
          child.exitCode !== null ||
          (await collectOutput(spawn(command, ask, { cwd: areas, env })).ended).code === 0,
        { deadline: 60_000, state: service.stderr },
      );
    } finally {
      child.kill("SIGTERM");
    }
    expect(await service.ended).toMatchObject({ code: 0 });
  }
}
