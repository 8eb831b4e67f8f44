import { spawn } from "node:child_process";
import { expect, it } from "vitest";
import { which } from "../../scripts/command.mjs";
import { builtCommand, collectOutput, onQueue, realArea, realWorker } from "../support/queue.ts";

/** Runs the built command on a terminal of its own. */
function onTerminal(args: readonly string[], env: Record<string, string>) {
  const line = [process.execPath, builtCommand, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", TERM: "xterm", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return collectOutput(child).ended;
}

it.skipIf(process.platform !== "linux" || which("script") === undefined)(
  "shows a bar on a terminal while a job works, and then its result",
  () =>
    onQueue(async (stage) => {
      const area = realArea(stage, { runs: 30, testsPerRun: 10 });
      await realWorker(stage, area);
      const env = {
        ...{ MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hostA" },
        ...{ MTJOBS_CACHE_ROOT: area.cacheRoot },
      };
      const { code, stdout } = await onTerminal(
        ["reduce", area.directory, "--runname", "%", "--dead-after", "0s", "--wait"],
        env,
      );
      expect(stdout).toMatch(/[█░] +\d+%.* runs/);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/moved \d+ runs/)]);
    }),
);
