import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { rightBuild } from "../../powercut/builds.ts";
import { canTrace } from "../../powercut/recording.ts";
import { buildTempArea } from "../../support/area/temp-area.ts";
import { assertFinished } from "../../support/queue/kill.ts";
import { unionOf } from "../../support/queue/run-reduce.ts";

it.runIf(canTrace)(
  "a reduce works on file systems that know no sync of a directory, as it does elsewhere",
  () => {
    const area = buildTempArea({ runs: 4, testsPerRun: 3, unsynced: false });
    const before = unionOf(area);
    const directories = [area.directory, join(area.directory, ".mtjobs"), area.cacheDirectory];
    const refusal = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EINVAL"];
    const { status, stderr } = spawnSync(
      "strace",
      [
        ...["-f", "-qq", "-o", "/dev/null", ...refusal, ...directories.flatMap((path) => ["-P", path])],
        ...[process.execPath, rightBuild, "reduce", area.directory, "--runname", "%", "--inline", "--json"],
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
