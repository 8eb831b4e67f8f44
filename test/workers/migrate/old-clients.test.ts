import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { oldClientWarnings, startServer } from "../../../workers/migrate/checks/old-clients.ts";
import { makeArea, temporaryDirectory } from "../../support/area.ts";

async function start(cwd: string, words: string[], argv0 = "megatest"): Promise<number> {
  const code = "process.stdout.write('up'); setInterval(() => {}, 1e6)";
  const child = spawn(process.execPath, ["-e", code, "--", ...words], {
    argv0,
    cwd,
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child.pid ?? 0;
}

it.runIf(process.platform === "linux")(
  "clients that were started in the area before it moved are named, with how they go on; no server, no others, none of later",
  async () => {
    const root = temporaryDirectory();
    const area = openArea(makeArea(join(root, "a1")));
    mkdirSync(join(area.realPath, "tests"));
    const client = await start(join(area.realPath, "tests"), ["-run", "-target", "a/b"]);
    await start(area.realPath, ["-server", "-"]);
    await start(root, ["-run"]);
    await start(area.realPath, ["-run"], "vim");
    const [warning, ...more] = oldClientWarnings(area, "host-b", { begun_at: Date.now() + 60_000 });
    expect(more).toEqual([]);
    expect(warning).toMatch(
      new RegExp(`^on host-b process ${client} \\(megatest .*-target a/b\\) was started before the move: `),
    );
    expect(warning).toContain(`start a server on host-b: cd ${area.path} && megatest -server -`);
    expect(oldClientWarnings(area, "host-b", { begun_at: Date.now() - 60_000 })).toEqual([]);
  },
);

it("the command that starts a server is one for a shell, whatever the area's path", () => {
  expect(startServer("hostb", "/areas/it's a1")).toBe(
    "start a server on hostb: cd '/areas/it'\\''s a1' && megatest -server -",
  );
});
