import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { newArea } from "../../support/area.ts";
import { assertFinished, builtCommand, canTrace, unionOf } from "../../support/queue.ts";

it.runIf(canTrace())(
  "a reduce works on file systems that know no sync of a directory, as it does elsewhere",
  () => {
    const area = newArea({ runs: 4, testsPerRun: 3, unsynced: false });
    const before = unionOf(area);
    const directories = [area.directory, join(area.directory, ".mtjobs"), area.cacheDirectory];
    const refusal = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EINVAL"];
    const { status, stderr } = spawnSync(
      "strace",
      [
        ...["-f", "-qq", "-o", "/dev/null", ...refusal, ...directories.flatMap((path) => ["-P", path])],
        ...[process.execPath, builtCommand, "reduce", area.directory, "--runname", "%", "--inline", "--json"],
      ],
      {
        encoding: "utf8",
        env: {
          PATH: process.env.PATH,
          MTJOBS_HOST: area.host,
          MTJOBS_USER: area.user,
          MTJOBS_CACHE_ROOT: area.cacheRoot,
        },
      },
    );
    expect(status, stderr).toBe(0);
    assertFinished(area, before);
  },
);
