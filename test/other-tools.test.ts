import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { collectOutput, withServerStage } from "./support/queue.ts";

const page = readFileSync(new URL("../docs/other-tools.md", import.meta.url), "utf8");
const token = "a-token";
const served = withServerStage({ env: { MTJOBS_TOKEN: token } });

const has = (program: string) => spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;

/** The program in the page's block of that language, run for `area`. */
function runBlock(language: string, interpreter: string[], area: string) {
  const [, program = ""] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(page) ?? [];
  expect(program).not.toBe("");
  const [command = "", ...flags] = interpreter;
  const child = spawn(command, [...flags, program, ...(command === "sh" ? ["sh"] : []), area], {
    env: { PATH: process.env.PATH ?? "", HOME: "/", FARM_URL: served.server.url, MTJOBS_TOKEN: token },
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return collectOutput(child).ended;
}

beforeAll(async () => {
  await served.stage.worker("hosta");
});

describe.each([
  ["sh", ["sh", "-c"], "curl"],
  ["python", ["python3", "-c"], "python3"],
])("the program in %s that the docs show", (language, interpreter, needed) => {
  it.skipIf(!has(needed))(
    `asks for a job, waits for it and tells what came of it (${language})`,
    async () => {
      const area = served.stage.area(`with-${language}`, "hosta");
      // The programs name no run: the scripted job runs until it is let go.
      served.stage.release(area);
      const ended = await runBlock(language, interpreter, area);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(ended.stdout).toMatch(language === "sh" ? /"state":"completed"/ : /"runs": 0/);
      expect(served.stage.trace(area).map(({ event }) => event)).toEqual(["begin", "end"]);
    },
  );

  it.skipIf(!has(needed))(`ends with an error where the job is refused (${language})`, async () => {
    const ended = await runBlock(language, interpreter, "/nowhere");
    expect(ended.code).not.toBe(0);
    expect(ended.stdout + ended.stderr).toContain("outside-roots");
  });
});
