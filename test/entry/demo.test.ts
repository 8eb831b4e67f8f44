import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startCommand } from "../producers/run-command.ts";
import { withRedis } from "../support/redis.ts";
import { temporaryDirectory } from "../support/temp-directory.ts";
import { waitFor } from "../support/wait-for.ts";

describe("the demo", () => {
  it("takes everything down again on Ctrl-C", () =>
    withRedis(async (redis, _prefix, url) => {
      const temporary = temporaryDirectory();
      const demo = startCommand(["demo"], { env: { MTJOBS_REDIS_URL: url, TMPDIR: temporary } });
      await waitFor("the worker", () => demo.stderr().includes("starting a worker"), { state: demo.stderr });
      expect(readdirSync(temporary)).toHaveLength(1);
      demo.child.kill("SIGINT");
      const { code, stdout } = await demo.finished;
      expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
      expect(readdirSync(temporary)).toEqual([]);
      expect(await redis.keys("{mtjobs-demo-*")).toEqual([]);
    }));
});
