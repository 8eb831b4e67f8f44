import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./support/area.ts";
import { collectOutput, onQueue, type QueueStage } from "./support/queue.ts";

const client = "bullmq==3.4.4";
const page = readFileSync(new URL("../docs/other-tools.md", import.meta.url), "utf8");
const [, program = ""] = /```py\n(.*?)```/s.exec(page) ?? [];

/** Runs Python to its end, a minute at most. */
function python(args: string[], env: Record<string, string> = {}) {
  const child = spawn("python3", args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  return collectOutput(child).ended;
}

/** Why the client cannot be had here; undefined where it is in `directory`. */
async function install(directory: string): Promise<string | undefined> {
  const quick = ["--quiet", "--disable-pip-version-check", "--retries", "0", "--timeout", "10"];
  const pip = await python(["-m", "pip", "install", ...quick, "--target", directory, client]);
  return pip.code === 0
    ? undefined
    : `${client} cannot be installed: ${pip.stderr.trim().split("\n").at(-1)}`;
}

function ask(stage: QueueStage, libraries: string, area: string) {
  const env = { PYTHONPATH: libraries, MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix };
  return python(["-c", program, "hosta", area], env);
}

test("the program that the docs show for BullMQ's Python client adds a job, and tells its result or why it failed", async ({
  skip,
}) => {
  expect(program).not.toBe("");
  const libraries = temporaryDirectory();
  const missing = await install(libraries);
  skip(missing !== undefined, missing);
  await onQueue(async (stage) => {
    await stage.worker("hosta");
    const area = stage.area("a1", "hosta");
    stage.release(area);
    const done = await ask(stage, libraries, area);
    expect(done).toMatchObject({ code: 0 });
    expect(JSON.parse(done.stdout)).toMatchObject({ job: "reduce", dryRun: true, moved: { runs: 0 } });
    expect(stage.trace(area).map(({ event }) => event)).toEqual(["begin", "end"]);
    const refused = await ask(stage, libraries, "/nowhere");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^outside-roots: /m);
  });
});
